"""`rig audit`."""

from __future__ import annotations

from rig.cli.humanize import moment
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.audit import AuditLog, ListAudit


def show(log: AuditLog, out: Output) -> None:
    rows = [
        (moment(e.at), e.actor, e.action, e.target, e.outcome + (f": {e.code}" if e.code else ""), e.src)
        for e in log.entries
    ]
    out.table(("WHEN", "WHO", "WHAT", "TARGET", "OUTCOME", "FROM"), rows, empty="Nothing on the record matches.")
    if log.more:
        out.note("Older entries match too; --limit shows more of them.")
    if log.record == "local":
        out.note("This is the local record: what was done with rig on this machine.")


VERBS = {"": Verb(command=ListAudit, render=show, rows=lambda log: log.entries)}
