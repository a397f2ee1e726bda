"""What takes a change back that somebody else made: told from the facts that came of it on the platform's record."""

from __future__ import annotations

from events.account import RoleGranted, RoleRevoked
from events.app import AppCreated, AppLimited, AppScaled, AppStarted, AppStopped, DeployStarted
from events.base import Fact
from events.network import NetworkCreated, NetworkUpdated
from handlers.inverse_network import inverse_of_network
from handlers.inverse_roles import inverse_of_role
from handlers.inverse_variables import inverse_of_variables
from handlers.inverses import Inverse, inverse_of_made, inverse_of_release, inverse_of_scale, settings_of
from handlers.observe import history
from handlers.past import past
from rig.contract.apps import StartApp, StopApp
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError


def inverse_of_observed(target: str, corr: str, what: str, ctx: ClientContext) -> Inverse:
    """The inverse of what was done to an app or a network under a correlation. Raises `RigError` ``conflict``."""
    if what in {RoleGranted.type, RoleRevoked.type}:
        return Inverse(*inverse_of_role(target, corr, ctx))
    known = past(target, ctx) if "/" in target else None
    record, _ = history(ctx, fetch=False)
    records = known.records if known is not None else record.stream(f"network:{target}")
    made: set[type[Fact]] = {type(each.fact) for each in records if each.corr == corr}
    if known is not None:
        if DeployStarted in made:
            return inverse_of_release(known, corr, watched=False)
        if made & {AppScaled, AppLimited}:
            return inverse_of_scale(known, corr)
        if AppStopped in made:
            return Inverse(StartApp(app=target), f"rig start {target}")
        if AppStarted in made:
            return Inverse(StopApp(app=target), f"rig stop {target}")
    found = inverse_of_variables(target, *settings_of(target, known, ctx), corr)
    if found is not None:
        return Inverse(*found)
    if NetworkUpdated in made:
        return Inverse(*inverse_of_network(target, corr, ctx))
    if made & {AppCreated, NetworkCreated}:
        return inverse_of_made(target)
    raise RigError(
        "conflict",
        f"`{what}` of {target or 'the platform'} cannot be taken back.",
        "`rig undo --help` says what can be.",
    )
