"""`rig logs build`."""

from __future__ import annotations

from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.releases import BuildLog, ShowBuildLog


def show(log: BuildLog, out: Output) -> None:
    for line in log.lines:
        out.verbatim(line.text)
    if not log.lines:
        out.note(f"v{log.version} of {log.app} has no build output.")
    elif not log.complete:
        out.note(f"v{log.version} of {log.app} is still being made.")


VERBS = {"build": Verb(command=ShowBuildLog, render=show, rows=lambda log: log.lines)}
