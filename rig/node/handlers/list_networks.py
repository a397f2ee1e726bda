"""List networks."""

from __future__ import annotations

from rig.contract.networks import ListNetworks, NetworkPage
from rig.node.paging import page_of
from rig.node.ports import NodeContext
from rig.node.views import network_view


def handle(command: ListNetworks, ctx: NodeContext) -> NetworkPage:
    principal = ctx.ports.principal
    visible = [name for name in ctx.ports.world.existing_networks() if principal.permits("read", name)]
    names, following = page_of(visible, command.after, command.limit)
    return NetworkPage(
        networks=[network_view(ctx.ports.world.network(name), ctx.ports) for name in names], next=following
    )
