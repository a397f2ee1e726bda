"""Show a service token."""

from __future__ import annotations

from rig.contract.tokens import ShowToken, Token
from rig.node.accounts.tokens import no_token, token_view
from rig.node.ports import NodeContext


def handle(command: ShowToken, ctx: NodeContext) -> Token:
    """Who may not list it does not learn that it is there."""
    token, who = ctx.ports.accounts.tokens.named(command.name), ctx.ports.principal
    if token is None or not (who.permits("own", token.network) or who.permits("audit", token.network)):
        raise no_token(command.name)
    return token_view(token, ctx.ports.world.tokens.get(command.name, 0))
