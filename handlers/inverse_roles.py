"""What gives a role back that was changed or taken away: the one that the record tells of before."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import msgspec

from events.account import ROLE_FACTS, AccountState, RoleGranted, RoleRevoked, evolve
from events.base import Happened
from handlers.observe import history
from rig.contract.base import Command
from rig.contract.members import CreateMember, UpdateMember
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded

DONE = "what was done in the role stays done"
ENDED = "sessions that ended with the role"


def inverse_of_role(name: str, corr: str, ctx: ClientContext) -> tuple[Command, str, tuple[str, ...]]:
    """The command that gives somebody the role that they had, how one would type it, and what it does not bring back.

    Raises `RigError` ``conflict`` where nothing was changed, where the record does not tell what was before, or where
    somebody changed it once more since.
    """
    record, _ = history(ctx)
    records = [each for each in record.stream(f"account:{name}") if isinstance(each.fact, ROLE_FACTS)]
    changed = [at for at, each in enumerate(records) if each.corr == corr]
    if not records:
        raise unknown(name)
    fact = records[changed[-1]].fact if changed else None
    if not isinstance(fact, RoleGranted | RoleRevoked):
        raise unchanged()
    earlier = [
        each
        for each in records[: changed[-1]]
        if isinstance(each.fact, ROLE_FACTS) and each.fact.network == fact.network
    ]
    given, network = fact.role, shlex.quote(fact.network)
    role = roles_of(earlier).get(fact.network, "")
    if isinstance(fact, RoleGranted) and role == given:
        raise unchanged()
    left = given if isinstance(fact, RoleGranted) else ""
    if roles_of(records).get(fact.network, "") != left:
        raise RigError(
            "conflict",
            f"The role of `{name}` was changed once more since.",
            f"`rig details member {network} {name}` tells by whom.",
        )
    if isinstance(fact, RoleGranted):
        if not role:
            raise unknown(name)
        update = msgspec.convert({"network": fact.network, "name": name, "role": role}, UpdateMember)
        return update, f"rig update member {network} {name} --role {role}", (DONE,)
    if earlier and not role:
        raise RigError(
            "conflict",
            f"`{name}` had not taken up the invitation that was taken away.",
            f"Invite them anew: `rig node invite {name} --network {network} --role {given}`.",
        )
    create = msgspec.convert({"network": fact.network, "name": name, "role": given}, CreateMember)
    return create, f"rig create member {network} {name} --role {given}", (ENDED,)


def roles_of(records: Sequence[Recorded]) -> dict[str, str]:
    """The roles that records of an account come to, by network."""
    state = AccountState()
    for each in records:
        state = evolve(state, each.fact, Happened(each.at, each.actor))
    return state.roles


def unchanged() -> RigError:
    return RigError("conflict", "It changed nothing: the role was the same before.", changed_nothing=True)


def unknown(name: str) -> RigError:
    return RigError(
        "conflict",
        f"The record does not tell you which role `{name}` had before.",
        "`rig update member` gives the one that you name.",
    )
