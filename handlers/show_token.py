"""Show a service token."""

from __future__ import annotations

from rig.contract.tokens import ShowToken, Token
from rig.kernel.client import ClientContext, send


def handle(command: ShowToken, ctx: ClientContext) -> Token:
    return send(ctx, command, Token)
