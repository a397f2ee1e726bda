"""List service tokens."""

from __future__ import annotations

from rig.contract.tokens import ListTokens, TokenPage
from rig.kernel.client import ClientContext, send


def handle(command: ListTokens, ctx: ClientContext) -> TokenPage:
    return send(ctx, command, TokenPage)
