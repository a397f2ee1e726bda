"""List apps."""

from __future__ import annotations

from rig.contract.apps import App, AppPage, ListApps
from rig.contract.names import split_app
from rig.node.paging import rows_of
from rig.node.ports import NodeContext
from rig.node.views import app_view
from rig.node.world import no_network


def handle(command: ListApps, ctx: NodeContext) -> AppPage:
    world, principal = ctx.ports.world, ctx.ports.principal
    if command.network:
        # A network that one may not see gets the answer of one that is not there.
        if not principal.permits("read", command.network):
            raise no_network(command.network)
        world.network(command.network)
        names = world.apps_of(command.network)
    else:
        # A role is one in a network, so that is asked once for each of them.
        readable = {name for name in world.existing_networks() if principal.permits("read", name)}
        names = [name for name in world.existing_apps() if split_app(name)[0] in readable]
    apps, following = rows_of(names, lambda name: [app_view(world.app(name), ctx.ports)], App, command)
    return AppPage(apps=apps, next=following)
