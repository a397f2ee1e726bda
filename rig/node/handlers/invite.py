"""Invite a person."""

from __future__ import annotations

from rig.contract.accounts import Invitation, Invite
from rig.node.accounts.principal import require_person
from rig.node.ports import NodeContext


def handle(command: Invite, ctx: NodeContext) -> Invitation:
    require_person(ctx.ports.principal, "invite people")
    if command.network != "*":
        ctx.ports.world.network(command.network)
    link, fact = ctx.ports.accounts.invite(command.name, command.network, command.role, ctx.ports.principal.actor)
    ctx.emit(f"account:{command.name}", fact, target=command.name)
    return Invitation(name=command.name, link=link, expires_at=fact.expires_at)
