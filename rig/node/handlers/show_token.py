"""Show a service token."""

from __future__ import annotations

from rig.contract.tokens import ShowToken, Token
from rig.node.accounts.tokens import no_token, sees, token_view
from rig.node.ports import NodeContext


def handle(command: ShowToken, ctx: NodeContext) -> Token:
    """Who may not list it does not learn that it is there."""
    token = ctx.ports.accounts.tokens.named(command.name)
    if token is None or not sees(ctx.ports.principal, token):
        raise no_token(command.name)
    return token_view(token, ctx.ports.world.tokens.get(command.name, 0))
