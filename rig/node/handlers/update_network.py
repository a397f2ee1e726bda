"""Change what is said of a network."""

from __future__ import annotations

from events.base import Fact
from events.network import NetworkState, NetworkUpdated, evolve
from rig.contract.networks import Network, UpdateNetwork
from rig.kernel.errors import RigError
from rig.node.ports import NodeContext, happening
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
    world, stream = ctx.ports.world, f"network:{command.name}"
    state = world.network(command.name)
    require_match(NETWORKS, stream, command.name, state.revision, command.expect, ctx)
    for fact in decide(state, command.description, command.protected):
        ctx.emit(stream, fact, target=command.name, expect=world.version(stream))
        state = evolve(state, fact, happening(ctx))
    return network_view(state, ctx.ports)
