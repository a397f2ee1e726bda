"""Delete a service token."""

from __future__ import annotations

from events.account import TokenDeleted
from events.base import Fact
from rig.contract.tokens import DeleteToken, Token
from rig.node.accounts.principal import Principal
from rig.node.accounts.tokens import ServiceToken, no_token, token_view
from rig.node.ports import NodeContext
from rig.node.since import TOKENS, require_match


def decide(name: str, token: ServiceToken | None, principal: Principal) -> list[Fact]:
    """The facts of deleting a token. Raises `RigError` ``not_found``, also for a token that is not the asker's to
    delete: who may not list it does not learn that it is there."""
    if token is None or not principal.permits("own", token.network):
        raise no_token(name)
    return [TokenDeleted(name=name, network=token.network, role=token.role)]


def handle(command: DeleteToken, ctx: NodeContext) -> Token:
    tokens = ctx.ports.accounts.tokens
    token = tokens.named(command.name)
    revision = ctx.ports.world.tokens.get(command.name, 0)
    facts = decide(command.name, token, ctx.ports.principal)
    require_match(TOKENS, f"token:{command.name}", command.name, revision, command.expect, ctx)
    for fact in facts:
        ctx.emit(f"token:{command.name}", fact, target=command.name)
    assert token is not None
    # Before it is on the record: should that fail, the token is gone all the same, which is the safe side.
    tokens.delete(command.name)
    return token_view(token, revision + 1)
