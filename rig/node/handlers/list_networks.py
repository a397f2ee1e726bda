"""List networks."""

from __future__ import annotations

from rig.contract.networks import ListNetworks, Network, NetworkPage
from rig.node.paging import rows_of
from rig.node.ports import NodeContext
from rig.node.views import network_view


def handle(command: ListNetworks, ctx: NodeContext) -> NetworkPage:
    world, principal = ctx.ports.world, ctx.ports.principal
    visible = [name for name in world.existing_networks() if principal.permits("read", name)]
    networks, following = rows_of(
        visible, lambda name: [network_view(world.network(name), ctx.ports)], Network, command
    )
    return NetworkPage(networks=networks, next=following)
