"""Show what somebody may do in a network, and how that came to be."""

from __future__ import annotations

from typing import Literal

from events.account import AccountInvited, AccountJoined, RoleGranted, RoleRevoked
from rig.contract.members import MemberDetails, RoleChange, ShowMember
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Recorded
from rig.node.accounts.members import member_named
from rig.node.ports import NodeContext
from rig.node.views import member_view


def change_of(record: Recorded, network: str) -> RoleChange | None:
    """What a record says of a role in a network; None where it says nothing of it."""
    match record.fact:
        case AccountInvited(network=where, role=role) if where == network:
            return _change("invited", role, record)
        case AccountJoined(network=where, role=role) if where == network:
            return _change("joined", role, record)
        case RoleGranted(network=where, role=role) if where == network:
            return _change("granted", role, record)
        case RoleRevoked(network=where, role=role) if where == network:
            return _change("revoked", role, record)
    return None


def _change(what: Literal["invited", "joined", "granted", "revoked"], role: str, record: Recorded) -> RoleChange:
    return RoleChange(what=what, role=role, by=record.actor, at=rfc3339(record.at))


def handle(command: ShowMember, ctx: NodeContext) -> MemberDetails:
    members = ctx.ports.accounts.members
    if command.network != "*":
        ctx.ports.world.network(command.network)
    found = members.everywhere() if command.network == "*" else members.of(command.network)
    member = member_named(found, command.name, command.network)
    records = reversed(ctx.journal.stream(f"account:{command.name}"))
    changes = [change for record in records if (change := change_of(record, command.network)) is not None]
    view = member_view(member, ctx.ports)
    return MemberDetails(member=view, changes=changes, revision=view.revision)
