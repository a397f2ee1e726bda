"""`rig dashboard`."""

from __future__ import annotations

from typing import Any

import msgspec

from rig.cli.humanize import ago, minute, span, who
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.dashboard import AppDelivery, Dashboard, Delivery, ShowDashboard

HEADERS = ("APP", "NOW", "LAST", "DEPLOYED", "FAILED", "LEAD", "RESTORE", "WHO", "CHANGED")
DEFINITIONS = (
    "FAILED: deployments that failed, and releases that were rolled back.",
    "LEAD: from a commit until it was live. RESTORE: from a failure until the next release was live. Both are medians.",
)


def show(board: Dashboard, out: Output) -> None:
    rows = [cells(app) for app in board.apps]
    if len(board.apps) > 1:
        rows.append(("all", "", "", *delivery(board.total), ""))
    out.table(HEADERS, rows, empty="Nothing was deployed there, as far as the record tells.")
    if board.apps:
        out.note(f"Since {minute(board.since)}.")
        for line in DEFINITIONS:
            out.note(line)


def cells(app: AppDelivery) -> tuple[Any, ...]:
    last = f"v{app.last}" if app.last else ""
    if app.outcome != "succeeded":
        last += f" {app.outcome}"
    return (app.app, f"v{app.current}" if app.current else "", last, *delivery(app), ago(app.changed_at))


def delivery(figures: Delivery) -> tuple[Any, ...]:
    rate = f"{figures.failed} ({100 * figures.failed // figures.deployments} %)" if figures.deployments else ""
    lead, restore = ("" if ms is None else span(ms // 1000) for ms in (figures.lead_ms, figures.restore_ms))
    return (figures.deployments, rate, lead, restore, ", ".join(map(who, figures.actors)))


def rows(board: Dashboard) -> list[dict[str, Any]]:
    """Apps for CSV and JSON Lines: which one it is stands first."""
    return [{"app": app.app, **msgspec.structs.asdict(app)} for app in board.apps]


def columns(board: Dashboard) -> list[str]:
    """The header of no apps."""
    return ["app", *(name for name in AppDelivery.__struct_fields__ if name != "app")]


VERBS = {"": Verb(command=ShowDashboard, render=show, rows=rows, columns=columns)}
