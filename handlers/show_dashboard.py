"""`rig dashboard`: how deployments go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median_low
from typing import Any, Literal

from handlers.observe import history
from rig.contract.dashboard import AppDelivery, Dashboard, Delivery, ShowDashboard
from rig.kernel.client import ClientContext
from rig.kernel.ids import rfc3339
from rig.kernel.times import instant

Row = dict[str, Any]

# A network is all apps whose names begin with its own and a slash; `0` is the character behind the slash.
APPS = (
    "SELECT * FROM dashboard WHERE :name = '' OR app = :name OR (app >= :name || '/' AND app < :name || '0')"
    " ORDER BY app"
)
DEPLOYMENTS = "SELECT * FROM dashboard_deployments WHERE app = ? AND (ended_at >= ? OR failed_at >= ?)"
LAST = "SELECT * FROM dashboard_deployments WHERE app = ? ORDER BY version DESC LIMIT 1"


def handle(command: ShowDashboard, ctx: ClientContext) -> Dashboard:
    record, source = history(ctx)
    since = instant(command.since, ctx.stamp.at, "--since")
    apps, everything = [], []
    for app in record.rows(APPS, {"name": command.name}):
        deployments = list(record.rows(DEPLOYMENTS, (app["app"], since, since)))
        last = next(record.rows(LAST, (app["app"],)), None)
        everything += deployments
        apps.append(
            AppDelivery(
                app=app["app"],
                current=app["current"],
                last=last["version"] if last else 0,
                outcome=outcome_of(last) if last else "",
                change=app["change"],
                changed_at=rfc3339(app["changed_at"]),
                changed_by=app["changed_by"],
                **figures(deployments, since),
            )
        )
    return Dashboard(
        since=rfc3339(since),
        until=rfc3339(ctx.stamp.at),
        apps=apps,
        total=Delivery(**figures(everything, since)),
        record=source,
    )


def outcome_of(row: Row) -> Literal["pending", "succeeded", "failed", "rolled-back"]:
    """What became of a deployment."""
    if row["outcome"] == "succeeded" and row["failed_at"]:
        return "rolled-back"
    found: Literal["pending", "succeeded", "failed"] = row["outcome"]
    return found


def figures(rows: Sequence[Row], since: int) -> dict[str, Any]:
    """The fields of `Delivery`, over deployments that ended since then."""
    ended = [row for row in rows if row["ended_at"] is not None and row["ended_at"] >= since]
    leads = [row["ended_at"] - row["committed_at"] for row in ended if leads_to_live(row)]
    restored = [row["restored_at"] - row["failed_at"] for row in ended if row["failed_at"] and row["restored_at"]]
    return {
        "deployments": len(ended),
        "failed": sum(row["failed_at"] is not None for row in ended),
        "lead_ms": middle(leads),
        "restore_ms": middle(restored),
        "actors": [actor for actor, _ in Counter(row["actor"] for row in ended).most_common()],
    }


def leads_to_live(row: Row) -> bool:
    """Whether a commit went live. One that is later than that comes from another clock, and tells nothing."""
    committed = row["committed_at"]
    return row["outcome"] == "succeeded" and committed is not None and committed <= row["ended_at"]


def middle(spans: Sequence[int]) -> int | None:
    """The median of spans in nanoseconds, in milliseconds; the lower one of two, so that it is one that was."""
    return median_low(spans) // 1_000_000 if spans else None
