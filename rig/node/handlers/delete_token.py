"""Delete a service token."""

from __future__ import annotations

from events.account import TokenDeleted
from events.base import Fact
from rig.contract.tokens import DeleteToken, Token
from rig.kernel.errors import RigError
from rig.node.accounts.principal import Principal
from rig.node.accounts.tokens import ServiceToken, token_view
from rig.node.ports import NodeContext


def decide(name: str, token: ServiceToken | None, principal: Principal) -> list[Fact]:
    """The facts of deleting a token. Raises `RigError` ``not_found``, also for a token that is not the asker's to
    delete: who may not list it does not learn that it is there."""
    if token is None or not principal.permits("own", token.network):
        raise RigError("not_found", f"There is no token `{name}`.", "`rig list tokens` shows those that are yours.")
    return [TokenDeleted(name=name, network=token.network, role=token.role)]


def handle(command: DeleteToken, ctx: NodeContext) -> Token:
    tokens = ctx.ports.accounts.tokens
    token = tokens.named(command.name)
    for fact in decide(command.name, token, ctx.ports.principal):
        ctx.emit(f"token:{command.name}", fact, target=command.name)
    assert token is not None
    # Before it is on the record: should that fail, the token is gone all the same, which is the safe side.
    tokens.delete(command.name)
    return token_view(token)
