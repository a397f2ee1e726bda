"""Show what is set in a network and its apps, what was applied last, and where they differ."""

from __future__ import annotations

from rig.contract.configuration import NetworkConfig, ShowNetworkConfig
from rig.kernel.ids import rfc3339
from rig.node.configuration.live import applied_of, document_of, drift_of, wanted_of
from rig.node.ports import NodeContext


def handle(command: ShowNetworkConfig, ctx: NodeContext) -> NetworkConfig:
    world = ctx.ports.world
    network, apps = world.network(command.network), world.states_of(command.network)
    applied = network.applied
    return NetworkConfig(
        network=command.network,
        live=document_of(network, apps),
        wanted=wanted_of(apps),
        applied=applied_of(network),
        applied_at=rfc3339(applied.at) if applied else "",
        applied_by=applied.by if applied else "",
        drift=drift_of(network, apps),
        revision=world.configured.get(command.network, 0),
    )
