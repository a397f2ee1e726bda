"""Make a service token."""

from __future__ import annotations

from events.account import TokenCreated
from events.base import Fact
from rig.contract.tokens import CreateToken, NewToken, Token
from rig.kernel.client import ClientContext, send


def decide(token: Token) -> list[Fact]:
    """What is on the record once the platform has agreed: all but the token's text."""
    return [TokenCreated(name=token.name, network=token.network, role=token.role, expires_at=token.expires_at)]


def handle(command: CreateToken, ctx: ClientContext) -> NewToken:
    token = send(ctx, command, NewToken)
    for fact in decide(token):
        ctx.emit(f"token:{token.name}", fact, target=token.name)
    return token
