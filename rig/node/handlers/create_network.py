"""Make a network."""

from __future__ import annotations

from events.account import RoleGranted
from events.base import Fact
from events.network import NetworkCreated, NetworkState
from rig.contract.members import Member
from rig.contract.names import RESERVED_NETWORKS
from rig.contract.networks import CreateNetwork, Network
from rig.kernel.errors import RigError
from rig.node.emitting import emit_network
from rig.node.ports import NodeContext
from rig.node.views import network_view


def decide(state: NetworkState, name: str) -> list[Fact]:
    """The facts of making the network ``name``. Raises `RigError` ``already_exists`` or ``invalid_data``."""
    if state.exists:
        raise RigError(
            "already_exists", f"There is a network `{name}` already.", f"See it with `rig details network {name}`."
        )
    if name in RESERVED_NETWORKS:
        raise RigError("invalid_data", f"`{name}` is kept for the platform itself.", "Choose another name.")
    return [NetworkCreated(name=name)]


def make(name: str, ctx: NodeContext) -> NetworkState:
    """Emit the facts of a new network and make whoever asked its owner; gives the state that follows."""
    principal, state = ctx.ports.principal, ctx.ports.world.networks.get(name, NetworkState())
    state = emit_network(name, state, decide(state, name), ctx)
    # Whoever is the owner of all, or a token, whose role is for all networks, gets no role of their own.
    if not principal.owner and principal.person:
        # Roles that a network of this name once had, or that a try left which was not recorded, are not handed on.
        ctx.ports.accounts.forget_network(name)
        owner = Member(name=principal.name, network=name, role="owner")
        ctx.ports.accounts.members.give(owner)
        granted = RoleGranted(name=owner.name, network=name, role=owner.role)
        ctx.emit(f"account:{owner.name}", granted, target=owner.name)
    return state


def handle(command: CreateNetwork, ctx: NodeContext) -> Network:
    return network_view(make(command.name, ctx), ctx.ports)
