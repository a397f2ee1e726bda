"""`rig blame`."""

from __future__ import annotations

from rig.cli.diff import value
from rig.cli.humanize import moment, who
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.history import Blame, BlameApp


def show(blame: Blame, out: Output) -> None:
    rows = [
        (
            row.key,
            who(row.by),
            moment(row.at),
            f"v{row.version}" if row.version else "",
            value(row.value),
        )
        for row in blame.keys
    ]
    out.table(("KEY", "WHO", "WHEN", "RELEASE", "VALUE"), rows, empty="Nothing was set.")


VERBS = {"": Verb(command=BlameApp, render=show, rows=lambda blame: blame.keys)}
