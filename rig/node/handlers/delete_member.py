"""Take somebody's role in a network away."""

from __future__ import annotations

from collections.abc import Sequence

from events.account import RoleRevoked
from events.base import Fact
from rig.contract.members import DeleteMember, Member
from rig.node.accounts.members import member_named, require_other_owner
from rig.node.ports import NodeContext
from rig.node.since import member_of, require_match
from rig.node.views import member_view


def decide(members: Sequence[Member], member: Member, *, by_owner: bool) -> list[Fact]:
    """The facts of taking a role, or an invitation, away. Raises `RigError` ``conflict`` for the last owner.

    ``by_owner``: the owner of the node asks, who is an owner of every network and so may leave one without another.
    """
    if not by_owner:
        require_other_owner(members, member.name, member.network)
    return [RoleRevoked(name=member.name, network=member.network, role=member.role)]


def handle(command: DeleteMember, ctx: NodeContext) -> Member:
    members = ctx.ports.accounts.members
    found = members.of(command.network)
    member = member_view(member_named(found, command.name, command.network), ctx.ports)
    kind, stream = member_of(command.network), f"account:{command.name}"
    require_match(kind, stream, command.name, member.revision, command.expect, ctx)
    for fact in decide(found, member, by_owner=ctx.ports.principal.owner):
        ctx.emit(stream, fact, target=command.name)
    # Before it is on the record: should that fail, the role is gone all the same, which is the safe side.
    members.take(command.name, command.network)
    return member
