"""Show the releases of an app: the platform's answer, or where it cannot be reached, what is known of its record."""

from __future__ import annotations

from handlers.observe import observed
from handlers.past import Past
from rig.contract.releases import ListReleases, ReleasePage
from rig.kernel.apps import release_of, url_of
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError

OFFLINE = frozenset({"unreachable", "unavailable", "rate_limited"})
KNOWN = "SELECT 1 FROM event WHERE stream = ? AND rec IS NOT NULL LIMIT 1"


def handle(command: ListReleases, ctx: ClientContext) -> ReleasePage:
    replica = ctx.ports.replica
    # Nobody waits long for what can be told without it.
    known = replica is not None and any(replica.rows(KNOWN, (f"app:{command.app}",)))
    platform = ctx.ports.platform_on_the_way if known else ctx.ports.platform
    try:
        page = platform.call(command, ReleasePage, corr=ctx.stamp.corr)
    except RigError as error:
        if error.code not in OFFLINE:
            raise
        page = from_replica(command, ctx, error)
    else:
        observed(ctx)  # so that it can be told without the platform, next time
    return page


def from_replica(command: ListReleases, ctx: ClientContext, away: RigError) -> ReleasePage:
    """The releases as the replica has them. Raises ``away`` where there is nothing in it of the app."""
    replica = observed(ctx, fetch=False)
    records = replica.stream(f"app:{command.app}") if replica else []
    if replica is None or not records:
        raise away
    state = Past(command.app, records, "observed").state()
    below = int(command.after) if command.after.isdecimal() else state.last + 1
    versions = [version for version in sorted(state.releases, reverse=True) if version < below]
    known = replica.state()
    as_of = known.synced_at if known else ""
    ctx.warn(f"{away.message} This is what was on its record at {as_of}.")
    page = versions[: command.limit]
    return ReleasePage(
        releases=[release_of(state, version, url=url_of(records)) for version in page],
        next=str(page[-1]) if len(versions) > len(page) else "",
        as_of=as_of,
    )
