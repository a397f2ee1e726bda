"""`rig logs build`."""

from __future__ import annotations

from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.releases import BuildLog, ShowBuildLog


def show(log: BuildLog, out: Output) -> None:
    for line in log.lines:
        out.verbatim(line.text)
    if not log.lines:
        of_another = log.built_by not in {0, log.version}
        stands = f": it stands on the build of v{log.built_by}" if of_another else ""
        out.note(f"v{log.version} of {log.app} has no build output{stands}.")
        if of_another:
            out.hint(f"See that: rig logs build {log.app} v{log.built_by}")
    elif not log.complete:
        out.note(f"v{log.version} of {log.app} is still being made.")


VERBS = {"build": Verb(command=ShowBuildLog, render=show, rows=lambda log: log.lines)}
