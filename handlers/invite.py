"""Invite a person."""

from __future__ import annotations

from rig.contract.accounts import Invitation, Invite
from rig.kernel.client import ClientContext, send


def handle(command: Invite, ctx: ClientContext) -> Invitation:
    return send(ctx, command, Invitation)
