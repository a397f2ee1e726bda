"""Change the role of a member."""

from __future__ import annotations

from events.account import RoleGranted
from events.base import Fact
from rig.contract.members import Member, UpdateMember
from rig.kernel.client import ClientContext, send


def decide(member: Member) -> list[Fact]:
    """What is on the record once the platform has agreed."""
    return [RoleGranted(name=member.name, network=member.network, role=member.role)]


def handle(command: UpdateMember, ctx: ClientContext) -> Member:
    member = send(ctx, command, Member)
    for fact in decide(member):
        ctx.emit(f"account:{member.name}", fact, target=member.name)
    return member
