"""Say who asks."""

from __future__ import annotations

from rig.contract.accounts import Account, Whoami
from rig.kernel.ids import rfc3339
from rig.node.ports import NodeContext


def handle(command: Whoami, ctx: NodeContext) -> Account:
    who = ctx.ports.principal
    return Account(actor=who.actor, name=who.name, owner=who.owner, roles=who.roles, expires_at=rfc3339(who.expires_at))
