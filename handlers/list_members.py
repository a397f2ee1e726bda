"""List who may do what in a network."""

from __future__ import annotations

from rig.contract.members import ListMembers, MemberPage
from rig.kernel.client import ClientContext, send


def handle(command: ListMembers, ctx: ClientContext) -> MemberPage:
    return send(ctx, command, MemberPage)
