"""`rig undo`."""

from __future__ import annotations

from rig.cli.humanize import moment, who
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.undo import Undo, UndoReport


def show(report: UndoReport, out: Output) -> None:
    target = f" of {report.target}" if report.target else ""
    by = who(report.actor)
    verb = "Took back" if report.done else "Would take back"
    out.line(f"{verb} `{report.what}`{target} (by {by}, {moment(report.at)}): {report.command}")
    if report.remains:
        out.line("Not taken back:")
        for text in report.remains:
            out.line(f"  {text}")


VERBS = {"": Verb(command=Undo, render=show)}
