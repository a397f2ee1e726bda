"""List who may do what in a network."""

from __future__ import annotations

from rig.contract.members import ListMembers, Member, MemberPage
from rig.node.paging import rows_of
from rig.node.ports import NodeContext
from rig.node.views import member_view


def handle(command: ListMembers, ctx: NodeContext) -> MemberPage:
    """Those with a role in the network, and those with one in all of them: each has a row of their own."""
    members = ctx.ports.accounts.members
    found = members.everywhere()
    if command.network != "*":
        ctx.ports.world.network(command.network)
        found = [*found, *members.of(command.network)]
    rows = {f"{member.name} {member.network}": member for member in found}
    page, following = rows_of(sorted(rows), lambda key: [member_view(rows[key], ctx.ports)], Member, command)
    return MemberPage(members=page, next=following)
