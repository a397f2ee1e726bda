"""`rig config export|diff|apply|history|import`: the configuration of a network as one file."""

from __future__ import annotations

from collections import Counter

from rig.cli.humanize import count, minute, who
from rig.cli.output import Output
from rig.cli.variables import DIGITS, show_releases
from rig.cli.verb import Verb, detailed
from rig.contract.configuration import (
    DIGEST,
    ApplyConfig,
    ConfigChange,
    ConfigDocument,
    ConfigHistory,
    ConfigPlan,
    DiffConfig,
    ExportConfig,
    ImportConfig,
    KeyHistory,
)
from rig.kernel.configtext import toml_of
from rig.kernel.configuration import differs
from rig.kernel.words import some_of

HIDDEN = "(hidden)"
EXPLAINED = {
    "missing": "set it: rig create secret",
    "rotated": "another value than the file names",
}


def show_document(document: ConfigDocument, out: Output) -> None:
    if document.file:
        out.note(f"Written to {document.file}.")
    else:
        out.stdout.write(toml_of(document.configuration))
    for command in document.secrets:
        out.note(f"Its value stands in no file: {command}")


def show_plan(plan: ConfigPlan, out: Output) -> None:
    shown = differs(plan.changes)
    if shown:
        rows = [
            (change.key, change.action, value(change, "live"), value(change, "file"), why(change)) for change in shown
        ]
        out.table(("KEY", "ACTION", "LIVE", "FILE", "WHY"), rows)
    left = [change.key for change in plan.changes if change.action == "unmanaged"]
    if left:
        out.note(f"Left alone, since no applied file had them: {some_of(left)}.")
    out.line(summary(plan))
    show_releases(plan.releases, out)


def summary(plan: ConfigPlan) -> str:
    """``demo: 2 to add, 1 to remove.``"""
    actions: Counter[str] = Counter(change.action for change in plan.changes)
    made = {"add": "added", "change": "changed", "remove": "removed"}
    told = [
        f"{actions[action]} {past if plan.done else f'to {action}'}" for action, past in made.items() if actions[action]
    ]
    if actions["missing"]:
        told.append(f"{count(actions['missing'], 'secret')} missing")
    if actions["rotated"]:
        told.append(f"{count(actions['rotated'], 'secret')} with another value")
    return f"{plan.network}: {', '.join(told) or 'nothing to change, it is as the file says'}."


def value(change: ConfigChange, side: str) -> str:
    """What stands in a cell: the value, or that it is not shown."""
    found: str | None = change.live if side == "live" else change.file
    if change.redacted:
        there = change.action != "add" if side == "live" else change.action != "remove"
        return HIDDEN if there else ""
    if found is None:
        return ""
    if ".secrets." in f".{change.key}":
        return f"(secret) {found.removeprefix(DIGEST)[:DIGITS]}".rstrip()
    return found


def why(change: ConfigChange) -> str:
    """What somebody should know before they agree."""
    told = [EXPLAINED[change.action]] if change.action in EXPLAINED else []
    if change.action == "remove":
        told.append("gone from the file")
    if change.shrinks:
        told.append("less memory" if ".memory" in change.key else "runs fewer processes")
    if change.drift and change.action not in EXPLAINED:
        by = f" by {who(change.set_by)}, {minute(change.set_at)}" if change.set_by else ""
        told.append(f"{'removed' if change.action == 'add' else 'set'} by hand{by}")
    return "; ".join(told)


def show_history(found: KeyHistory, out: Output) -> None:
    rows = []
    for change in found.changes:
        hidden = HIDDEN if change.redacted else None
        secret = change.key.startswith("secrets.")
        before, after = ((text or "")[: DIGITS if secret else None] for text in (change.before, change.after))
        if hidden:
            before = "" if change.change == "added" else hidden
            after = "" if change.change == "removed" else hidden
        rows.append((minute(change.at), who(change.by), change.scope, change.key, before, after))
    out.table(("WHEN", "WHO", "OF", "KEY", "BEFORE", "AFTER"), rows, empty="Nothing was ever set.")
    if found.more:
        out.note(f"{count(len(rows), 'change')} shown; --limit shows more of them.")


VERBS = {
    "export": Verb(command=ExportConfig, render=show_document),
    "diff": Verb(
        command=DiffConfig,
        render=show_plan,
        rows=lambda plan: plan.changes,
        exit_code=detailed(lambda plan: differs(plan.changes)),
    ),
    "apply": Verb(command=ApplyConfig, render=show_plan, rows=lambda plan: plan.changes),
    "history": Verb(command=ConfigHistory, render=show_history, rows=lambda found: found.changes),
    "import": Verb(command=ImportConfig, render=show_document),
}
