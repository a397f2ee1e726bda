"""Delete a network."""

from __future__ import annotations

from events.account import TokenDeleted
from events.base import Fact
from events.network import NetworkDeleted
from rig.contract.networks import DeleteNetwork, Network
from rig.kernel.errors import RigError
from rig.kernel.words import some_of
from rig.node.emitting import emit_app, emit_network
from rig.node.handlers import delete_app
from rig.node.ports import NodeContext
from rig.node.rules import require_unprotected
from rig.node.since import NETWORKS, require_match
from rig.node.views import network_view


def decide(name: str, apps: list[str], *, cascade: bool = False) -> list[Fact]:
    """The facts of deleting a network. Raises `RigError` ``conflict`` while it holds ``apps`` that are to stay."""
    if apps and not cascade:
        shown = some_of([f"`{app}`" for app in apps])
        raise RigError(
            "conflict",
            f"Network `{name}` still has apps: {shown}.",
            f"Delete them first: `rig delete app {apps[0]}`, or all of it: `rig delete network {name} --cascade`.",
        )
    return [NetworkDeleted(name=name)]


def handle(command: DeleteNetwork, ctx: NodeContext) -> Network:
    world = ctx.ports.world
    state = world.network(command.name)
    require_match(NETWORKS, f"network:{command.name}", command.name, state.revision, command.expect, ctx)
    require_unprotected(state, "it")
    view = network_view(state, ctx.ports)
    apps = world.apps_of(command.name)
    # All of it or nothing: an app of which a release is being made keeps the others.
    for app in apps if command.cascade else ():
        deleted = world.app(app)
        emit_app(app, deleted, delete_app.decide(deleted), ctx)
    emit_network(command.name, state, decide(command.name, apps, cascade=command.cascade), ctx)
    for token in ctx.ports.accounts.tokens.of_network(command.name):
        gone = TokenDeleted(name=token.name, network=token.network, role=token.role)
        ctx.emit(f"token:{token.name}", gone, target=token.name)
    # Roles, tokens and sources go once this is on the record, see `rig.node.accounts.deleted`.
    return view
