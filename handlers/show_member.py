"""Show what somebody may do in a network, and how that came to be."""

from __future__ import annotations

from rig.contract.members import MemberDetails, ShowMember
from rig.kernel.client import ClientContext, send


def handle(command: ShowMember, ctx: ClientContext) -> MemberDetails:
    return send(ctx, command, MemberDetails)
