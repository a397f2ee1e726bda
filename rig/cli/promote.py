"""`rig promote`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rig.cli.humanize import minute, who
from rig.cli.output import Output
from rig.cli.tables import draw
from rig.cli.verb import Verb
from rig.cli.wrap import terminal_width
from rig.contract.promotion import Promote, PromotionPlan, PromotionReport, Standing, VariableDifference

NONE = "-"
INDENT = "  "


def show(report: PromotionReport, out: Output) -> None:
    plan, release = report.plan, report.release
    if release is not None:
        out.line(f"v{release.version} serves {release.app}: the build of {name(plan.source)}, with its own variables.")
        out.line(release.url)
        if report.undo:
            out.line(f"To take it back: {report.undo}")
        return
    for line in lines(plan, out.width):
        out.line(line)
    if plan.already:
        out.line(f"{name(plan.target)} is that build already. Nothing was done.")


def show_first(plan: PromotionPlan, out: Output) -> None:
    """Before the question: for people, on stderr."""
    if out.format == "table":
        for line in lines(plan, terminal_width(out.stderr)):
            out.note(line)


def lines(plan: PromotionPlan, width: int) -> list[str]:
    """How the two differ, and what the promotion changes; ``width`` columns wide at most, 0 for no limit."""
    shown = columns(("", "SOURCE", "TARGET"), sides(plan.source, plan.target), width)
    if plan.variables:
        shown += ["", "Variables that will differ:", *map(variable, plan.variables)]
    if plan.settings:
        rows = [(one.key, one.source or NONE, one.target or NONE, one.then or NONE) for one in plan.settings]
        shown += ["", "Settings that differ:", *columns(("", "SOURCE", "TARGET", "AFTERWARDS"), rows, width)]
    if plan.changed:
        shown += ["", f"Changes in {plan.target.app}: {', '.join(plan.changed)}"]
    return shown


def sides(source: Standing, target: Standing) -> list[tuple[str, str, str]]:
    """What is compared of the two, one row each; a row in which neither has anything is left out."""
    facts: dict[str, Callable[[Standing], str]] = {
        "app": lambda side: side.app,
        "release": lambda side: f"v{side.version}" if side.version else "none yet",
        "commit": lambda side: side.source.commit[:12] + ("+" if side.source.dirty else ""),
        "bundle": lambda side: side.bundle[:12],
        "build": lambda side: side.build,
        "made": lambda side: minute(side.created_at),
        "by": lambda side: who(side.created_by),
    }
    rows = [(fact, tell(source), tell(target)) for fact, tell in facts.items()]
    return [(fact, left or NONE, right or NONE) for fact, left, right in rows if left or right]


def variable(one: VariableDifference) -> str:
    kind = " (secret)" if one.secret else ""
    where = "another value" if one.source and one.target else "the source alone" if one.source else "the target alone"
    return f"  {one.name}{kind}: {where}"


def columns(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The lines of a table, indented."""
    drawn = draw(headers, rows, width=max(0, width - len(INDENT)), color=False)
    return [(INDENT + line).rstrip() for line in drawn.splitlines()]


def name(side: Standing) -> str:
    return f"{side.app} v{side.version}"


VERBS = {"": Verb(command=Promote, render=show, item=show_first)}
