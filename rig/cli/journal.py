"""`rig journal verify|info`."""

from __future__ import annotations

from rig.cli.humanize import count, moment, size
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.audit import JournalInfo, JournalReport, Verification, VerifyJournal


def show_verification(report: Verification, out: Output) -> None:
    out.line(
        f"{report.verdict}: {count(report.size, 'record')}, {count(report.checkpoints, 'checkpoint')},"
        f" root {report.root[:16]}"
    )
    out.line(
        f"Anchored up to record {report.anchored} by the checkpoint outside the database;"
        " all of it rests on this machine and its key."
    )


def show_info(report: JournalReport, out: Output) -> None:
    out.pairs(
        [
            ("file", report.path),
            ("origin", report.origin),
            ("records", f"{report.size}, {size(report.bytes)}"),
            ("first", moment(report.first_at)),
            ("last", moment(report.last_at)),
            ("tip", report.tip),
            ("root", report.root),
            ("pin", f"{report.pin}, at record {report.pinned}" if report.pin else "none"),
            ("key", f"{report.key}, id {report.key_id}"),
            ("verifier", report.verifier),
            ("SQLite", f"{report.sqlite}, journal mode {report.journal_mode}, schema {report.schema_version}"),
            ("file system", report.file_system),
        ]
    )


VERBS = {
    "verify": Verb(command=VerifyJournal, render=show_verification),
    "info": Verb(command=JournalInfo, render=show_info),
}
