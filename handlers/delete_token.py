"""Delete a service token."""

from __future__ import annotations

from events.account import TokenDeleted
from events.base import Fact
from rig.contract.tokens import DeleteToken, Token
from rig.kernel.client import ClientContext, send


def decide(token: Token) -> list[Fact]:
    """What is on the record once the platform has agreed."""
    return [TokenDeleted(name=token.name, network=token.network, role=token.role)]


def handle(command: DeleteToken, ctx: ClientContext) -> Token:
    token = send(ctx, command, Token)
    for fact in decide(token):
        ctx.emit(f"token:{token.name}", fact, target=token.name)
    return token
