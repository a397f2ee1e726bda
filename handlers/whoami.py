"""Show who you are to the platform."""

from __future__ import annotations

from rig.contract.accounts import Account, Whoami
from rig.kernel.client import ClientContext, send


def handle(command: Whoami, ctx: ClientContext) -> Account:
    return send(ctx, command, Account)
