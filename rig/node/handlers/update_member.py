"""Change the role of a member."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from events.account import RoleGranted
from events.base import Fact
from rig.contract.members import Member, UpdateMember
from rig.kernel.errors import RigError
from rig.node.accounts.members import member_named, require_other_owner
from rig.node.accounts.principal import require_person
from rig.node.ports import NodeContext
from rig.node.since import member_of, require_match
from rig.node.views import member_view


def decide(members: Sequence[Member], wanted: Member, *, by_owner: bool) -> list[Fact]:
    """The facts of another role; none where it is the same.

    Raises `RigError` ``not_found`` or ``conflict``. ``by_owner``: the owner of the node asks, who is an owner of every
    network and so may leave one without another.
    """
    before = member_named(members, wanted.name, wanted.network)
    if before.state == "invited":
        raise RigError(
            "conflict",
            f"`{wanted.name}` has not taken up the invitation yet.",
            f"Invite them anew, in the other role: `rig node invite {wanted.name} --role {wanted.role}`.",
        )
    if before.role == wanted.role:
        return []
    if not by_owner:
        require_other_owner(members, wanted.name, wanted.network)
    return [RoleGranted(name=wanted.name, network=wanted.network, role=wanted.role)]


def handle(command: UpdateMember, ctx: NodeContext) -> Member:
    who, members = ctx.ports.principal, ctx.ports.accounts.members
    require_person(who, "give roles")
    wanted = Member(name=command.name, network=command.network, role=command.role)
    before = member_view(member_named(members.of(command.network), command.name, command.network), ctx.ports)
    kind, stream = member_of(command.network), f"account:{command.name}"
    require_match(kind, stream, command.name, before.revision, command.expect, ctx)
    for fact in decide(members.of(command.network), wanted, by_owner=who.owner):
        ctx.emit(stream, fact, target=command.name)
        before = msgspec.structs.replace(wanted, revision=before.revision + 1)
    members.give(wanted)
    return before
