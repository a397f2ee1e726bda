"""Make a service token."""

from __future__ import annotations

from events.account import TokenCreated
from events.base import Fact
from rig.contract.tokens import CreateToken, NewToken
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.times import instant
from rig.node.accounts.principal import require_person
from rig.node.accounts.tokens import ServiceToken
from rig.node.ports import NodeContext

SECOND = 1_000_000_000
LONGEST = 366 * 24 * 3600 * SECOND


def decide(token: ServiceToken) -> list[Fact]:
    """The facts of making a token. Raises `RigError` ``invalid_data`` where it would be good for too long."""
    if token.expires_at - token.created_at > LONGEST:
        raise RigError(
            "invalid_data", "A token is good for a year at most.", "Make it shorter, as `--ttl 90d`, and renew it."
        )
    return [TokenCreated(name=token.name, network=token.network, role=token.role, expires_at=rfc3339(token.expires_at))]


def handle(command: CreateToken, ctx: NodeContext) -> NewToken:
    principal, now = ctx.ports.principal, ctx.stamp.at
    require_person(principal, "make tokens")
    if command.network != "*":
        ctx.ports.world.network(command.network)
    token = ServiceToken(
        name=command.name,
        network=command.network,
        role=command.role,
        created_by=principal.actor,
        created_at=now,
        expires_at=now + (now - instant(command.ttl, now, "--ttl")),
    )
    for fact in decide(token):
        ctx.emit(f"token:{token.name}", fact, target=token.name)
    return NewToken(
        name=token.name,
        network=token.network,
        role=token.role,
        created_at=rfc3339(token.created_at),
        created_by=token.created_by,
        expires_at=rfc3339(token.expires_at),
        token=ctx.ports.accounts.tokens.make(token),
    )
