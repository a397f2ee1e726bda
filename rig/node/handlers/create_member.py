"""Give somebody a role in a network."""

from __future__ import annotations

from collections.abc import Sequence

from events.account import RoleGranted
from events.base import Fact
from rig.contract.members import CreateMember, Member
from rig.kernel.errors import RigError
from rig.node.accounts.members import quoted, role_granted_before, where
from rig.node.accounts.principal import require_person
from rig.node.ports import NodeContext


def decide(members: Sequence[Member], wanted: Member, *, known: bool, invited: bool = False) -> list[Fact]:
    """The facts of a new member. ``known``: whether there is such an account; ``invited``: whether there may be soon.

    Raises `RigError` ``not_found`` (nobody of that name) or ``already_exists``.
    """
    network = quoted(wanted.network)
    invite = f"`rig node invite {wanted.name} --network {network} --role {wanted.role}`"
    if not known and invited:
        raise RigError(
            "not_found",
            f"`{wanted.name}` was invited, and has not joined this platform yet.",
            f"Wait for that, or invite them anew, to this role: {invite}.",
        )
    if not known:
        raise RigError(
            "not_found", f"There is nobody called `{wanted.name}` on this platform.", f"Invite them: {invite}."
        )
    before = role_granted_before(members, wanted.name)
    if before is not None:
        raise RigError(
            "already_exists",
            f"`{wanted.name}` is {before} of {where(wanted.network)} already.",
            f"Change it: `rig update member {network} {wanted.name} --role {wanted.role}`.",
        )
    return [RoleGranted(name=wanted.name, network=wanted.network, role=wanted.role)]


def handle(command: CreateMember, ctx: NodeContext) -> Member:
    require_person(ctx.ports.principal, "give roles")
    if command.network != "*":
        ctx.ports.world.network(command.network)
    members = ctx.ports.accounts.members
    wanted = Member(name=command.name, network=command.network, role=command.role)
    here = members.of(command.network)
    invited = any(member.name == command.name for member in [*here, *members.everywhere()])
    for fact in decide(here, wanted, known=members.exists(command.name), invited=invited):
        ctx.emit(f"account:{command.name}", fact, target=command.name)
    members.give(wanted)
    return wanted
