"""Change what is said of a network."""

from __future__ import annotations

from events.base import Fact
from events.network import NetworkState, NetworkUpdated
from rig.contract.networks import Network, UpdateNetwork
from rig.kernel.errors import RigError
from rig.node.emitting import emit_network
from rig.node.ports import NodeContext
from rig.node.since import NETWORKS, require_match
from rig.node.views import network_view


def decide(state: NetworkState, description: str | None, protected: bool | None) -> list[Fact]:
    """The facts of a change, none where all is so already. Raises `RigError` ``usage`` where none is asked for."""
    if description is None and protected is None:
        raise RigError(
            "usage",
            "Nothing to change.",
            f'Say what, as `rig update network {state.name} --description "…"` or `--protected`.',
        )
    said = description if description != state.description else None
    kept = protected if protected != state.protected else None
    if said is None and kept is None:
        return []
    return [NetworkUpdated(name=state.name, description=said, protected=kept)]


def handle(command: UpdateNetwork, ctx: NodeContext) -> Network:
    state = ctx.ports.world.network(command.name)
    require_match(NETWORKS, f"network:{command.name}", command.name, state.revision, command.expect, ctx)
    facts = decide(state, command.description, command.protected)
    return network_view(emit_network(command.name, state, facts, ctx), ctx.ports)
