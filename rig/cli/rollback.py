"""`rig rollback`."""

from __future__ import annotations

from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.releases import Rollback, RollbackReport


def show(report: RollbackReport, out: Output) -> None:
    release = report.release
    out.line(f"v{release.version} serves {release.app}: v{release.rollback_of} as it was, without a build.")
    out.line(release.url)
    out.line()
    out.line("Restored:")
    for text in report.restored:
        out.line(f"  {text}")
    out.line("Not restored:")
    for text in report.not_restored:
        out.line(f"  {text}")
    if report.undo:
        out.line(f"To take it back: {report.undo}")


VERBS = {"": Verb(command=Rollback, render=show)}
