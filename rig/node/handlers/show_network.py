"""Show a network."""

from __future__ import annotations

from rig.contract.networks import Network, ShowNetwork
from rig.node.ports import NodeContext
from rig.node.views import network_view


def handle(command: ShowNetwork, ctx: NodeContext) -> Network:
    return network_view(ctx.ports.world.network(command.name), ctx.ports)
