"""`rig promote`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rig.cli.humanize import minute
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.promotion import Promote, PromotionPlan, PromotionReport, Standing, VariableDifference

NONE = "-"


def show(report: PromotionReport, out: Output) -> None:
    plan, release = report.plan, report.release
    if release is not None:
        out.line(f"v{release.version} serves {release.app}: the build of {name(plan.source)}, with its own variables.")
        out.line(release.url)
        if report.undo:
            out.line(f"To take it back: {report.undo}")
        return
    for line in lines(plan):
        out.line(line)
    if plan.already:
        out.line(f"{name(plan.target)} is that build already. Nothing was done.")


def show_first(plan: PromotionPlan, out: Output) -> None:
    """Before the question: for people, on stderr."""
    if out.format == "table":
        for line in lines(plan):
            out.note(line)


def lines(plan: PromotionPlan) -> list[str]:
    """How the two differ, and what the promotion changes."""
    shown = columns([("", "SOURCE", "TARGET"), *sides(plan.source, plan.target)])
    if plan.variables:
        shown += ["", "Variables that will differ:", *map(variable, plan.variables)]
    if plan.settings:
        rows = [(one.key, one.source or NONE, one.target or NONE, one.then or NONE) for one in plan.settings]
        shown += ["", "Settings that differ:", *columns([("", "SOURCE", "TARGET", "AFTERWARDS"), *rows])]
    if plan.changed:
        shown += ["", f"Changes in {plan.target.app}: {', '.join(plan.changed)}"]
    return shown


def sides(source: Standing, target: Standing) -> Iterable[tuple[str, str, str]]:
    """What is compared of the two, one row each; a row in which neither has anything is left out."""
    facts: dict[str, Callable[[Standing], str]] = {
        "app": lambda side: side.app,
        "release": lambda side: f"v{side.version}" if side.version else "none yet",
        "commit": lambda side: side.source.commit[:12] + ("+" if side.source.dirty else ""),
        "bundle": lambda side: side.bundle[:12],
        "build": lambda side: side.build,
        "made": lambda side: minute(side.created_at),
        "by": lambda side: side.created_by.removeprefix("user:"),
    }
    rows = [(fact, tell(source), tell(target)) for fact, tell in facts.items()]
    return [(fact, left or NONE, right or NONE) for fact, left, right in rows if left or right]


def variable(one: VariableDifference) -> str:
    kind = " (secret)" if one.secret else ""
    where = "another value" if one.source and one.target else "the source alone" if one.source else "the target alone"
    return f"  {one.name}{kind}: {where}"


def columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as lines, each column as wide as its widest value."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def name(side: Standing) -> str:
    return f"{side.app} v{side.version}"


VERBS = {"": Verb(command=Promote, render=show, item=show_first)}
