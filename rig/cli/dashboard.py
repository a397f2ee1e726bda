"""`rig dashboard`."""

from __future__ import annotations

from typing import Any

import msgspec

from rig.cli.humanize import ago, minute
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.dashboard import AppDelivery, Dashboard, Delivery, ShowDashboard

HEADERS = ("APP", "NOW", "LAST", "DEPLOYED", "FAILED", "LEAD", "RESTORE", "WHO", "CHANGED")
DEFINITIONS = (
    "FAILED: deployments that failed, and releases that were rolled back.",
    "LEAD: from a commit until it was live. RESTORE: from a failure until the next",
    "release was live. Both are medians.",
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
    who = ", ".join(actor.removeprefix("user:") for actor in figures.actors)
    return (figures.deployments, rate, span(figures.lead_ms), span(figures.restore_ms), who)


def span(milliseconds: int | None) -> str:
    """90000 → ``1 min``; empty where there is none."""
    if milliseconds is None:
        return ""
    seconds = milliseconds // 1000
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def rows(board: Dashboard) -> list[dict[str, Any]]:
    """Apps for CSV and JSON Lines: which one it is stands first."""
    return [{"app": app.app, **msgspec.structs.asdict(app)} for app in board.apps]


def columns(board: Dashboard) -> list[str]:
    """The header of no apps."""
    return ["app", *(name for name in AppDelivery.__struct_fields__ if name != "app")]


VERBS = {"": Verb(command=ShowDashboard, render=show, rows=rows, columns=columns)}
