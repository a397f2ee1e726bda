"""Show the releases of an app: the platform's answer, or where it cannot be reached, what is known of its record."""

from __future__ import annotations

import msgspec

from handlers.observe import observed
from handlers.past import Past
from rig.contract.releases import ListReleases, ReleasePage
from rig.kernel.apps import release_of, releases_of, url_of
from rig.kernel.client import ClientContext
from rig.kernel.errors import UNANSWERED, RigError

KNOWN = "SELECT 1 FROM event WHERE stream = ? AND rec IS NOT NULL LIMIT 1"


def handle(command: ListReleases, ctx: ClientContext) -> ReleasePage:
    replica = ctx.ports.replica
    # Nobody waits long for what can be told without it.
    known = replica is not None and any(replica.rows(KNOWN, (f"app:{command.app}",)))
    try:
        # Here, since there may be no platform to speak of: the node of this machine may not run.
        platform = ctx.ports.platform_on_the_way if known else ctx.ports.platform
        page = platform.call(command, ReleasePage, corr=ctx.stamp.corr)
    except RigError as error:
        if error.code not in UNANSWERED | {"not_found"}:
            raise
        page = from_replica(command, ctx, error)
    else:
        observed(ctx)  # so that it can be told without the platform, next time
    return page


def from_replica(command: ListReleases, ctx: ClientContext, away: RigError) -> ReleasePage:
    """The releases as the replica has them, those that an app had which was deleted among them.

    Raises ``away`` where there is nothing in it of the app.
    """
    replica = observed(ctx, fetch=away.code == "not_found")
    records = replica.stream(f"app:{command.app}") if replica else []
    past = Past(command.app, records, "observed")
    if replica is None or not records or (away.code == "not_found" and not past.deletion):
        raise away
    state, url = past.last(), url_of(records)
    page = releases_of(state, command, lambda version: release_of(state, version, url=url))
    known = replica.state()
    as_of = known.synced_at if known else ""
    if away.code in UNANSWERED:
        ctx.warn(f"{away.message} This is what was on its record at {as_of}.")
    if past.deletion:
        ctx.warn(f"`{command.app}` was deleted {past.told_deletion()}. These are the releases that it had.")
    return msgspec.structs.replace(page, as_of=as_of)
