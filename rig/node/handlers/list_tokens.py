"""List service tokens."""

from __future__ import annotations

from rig.contract.tokens import ListTokens, Token, TokenPage
from rig.node.accounts.tokens import sees, token_view
from rig.node.paging import rows_of
from rig.node.ports import NodeContext


def handle(command: ListTokens, ctx: NodeContext) -> TokenPage:
    who = ctx.ports.principal
    visible = {
        token.name: token
        for token in ctx.ports.accounts.tokens.all()
        if command.network in ("", token.network) and sees(who, token)
    }
    revisions = ctx.ports.world.tokens

    def rows(name: str) -> list[Token]:
        return [token_view(visible[name], revisions.get(name, 0))]

    tokens, following = rows_of(sorted(visible), rows, Token, command)
    return TokenPage(tokens=tokens, next=following)
