"""Delete a network."""

from __future__ import annotations

from events.account import TokenDeleted
from events.base import Fact
from events.network import NetworkDeleted
from rig.contract.networks import DeleteNetwork, Network
from rig.kernel.errors import RigError
from rig.node.ports import NodeContext
from rig.node.views import network_view


def decide(name: str, apps: list[str]) -> list[Fact]:
    """The facts of deleting a network. Raises `RigError` ``conflict`` while it holds ``apps``."""
    if apps:
        shown = ", ".join(f"`{app}`" for app in apps[:5]) + (f" and {len(apps) - 5} more" if len(apps) > 5 else "")
        raise RigError(
            "conflict", f"Network `{name}` still has apps: {shown}.", f"Delete them first: `rig delete app {apps[0]}`."
        )
    return [NetworkDeleted(name=name)]


def handle(command: DeleteNetwork, ctx: NodeContext) -> Network:
    world = ctx.ports.world
    view = network_view(world.network(command.name), ctx.ports)
    stream = f"network:{command.name}"
    for fact in decide(command.name, world.apps_of(command.name)):
        ctx.emit(stream, fact, target=command.name, expect=world.version(stream))
    for token in ctx.ports.accounts.tokens.of_network(command.name):
        ctx.ports.accounts.tokens.delete(token.name)
        deleted = TokenDeleted(name=token.name, network=token.network, role=token.role)
        ctx.emit(f"token:{token.name}", deleted, target=token.name)
    # Neither roles, tokens nor sources are handed on to a later network of this name.
    ctx.ports.accounts.forget_network(command.name)
    ctx.ports.bundles.remove(command.name)
    return view
