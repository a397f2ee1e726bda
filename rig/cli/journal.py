"""`rig journal …`."""

from __future__ import annotations

from rig.cli.audit import write_chunk
from rig.cli.humanize import count, moment, size
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.evidence import (
    Archived,
    ArchiveJournal,
    Exported,
    ExportJournal,
    Folded,
    Imported,
    ImportJournal,
    JournalInfo,
    RebuildProjections,
    Rebuilt,
    Replayed,
    ReplayJournal,
    VerifyJournal,
)
from rig.contract.verification import JournalReport, Verification

ANCHORS = {"pin": "the pin on this machine,", "witness": "the witness", "kept": "the checkpoint that was kept,"}
INCOMPLETE = (
    "Completeness is not proven: each record is proven to stand in the journal, and records may have been left out."
)


def show_verification(report: Verification, out: Output) -> None:
    out.line(f"{report.verdict}: {count(report.records, 'record')} of {report.origin}, root {report.root[:16]}")
    if not report.complete:
        out.line(INCOMPLETE)
    elif report.records:
        out.line(f"Nothing is missing from {report.first} to {report.first + report.records - 1}.")
    for segment in report.segments:
        where = segment.file if segment.present else f"{segment.file}, which is not there"
        out.line(f"Records {segment.first} to {segment.last} were archived to {where}.")
    outside = 0
    for anchor in report.anchors:
        if not anchor.agrees:
            out.line(f"The checkpoint {anchor.name} lies outside of what is here, and could not be compared.")
            continue
        out.line(f"Anchored up to record {anchor.size - 1} by {ANCHORS[anchor.kind]} {anchor.name}.")
        if anchor.kind != "pin":
            outside = max(outside, anchor.size)
    if report.replicated:
        held = count(report.replicated, "record")
        now = ", and its record goes on from them" if report.compared else ""
        out.line(f"The replica of the platform's record holds {held}, as the platform signed them{now}.")
    if outside < report.size:
        rest = f"What comes after record {outside - 1}" if outside else "All of it"
        out.line(f"{rest} rests on the machine that wrote it, and its key, alone.")


def show_info(report: JournalReport, out: Output) -> None:
    witnessed = f"{report.witness}, up to record {report.witnessed - 1}" if report.witness else ""
    out.pairs(
        [
            ("file", report.path),
            ("origin", report.origin),
            ("records", f"{report.size}, {size(report.bytes)}"),
            ("archived", f"{report.first} of them" if report.first else ""),
            ("first", moment(report.first_at)),
            ("last", moment(report.last_at)),
            ("quiet", f"until {moment(report.quiet_until)}, and signed" if report.quiet_until else ""),
            ("tip", report.tip),
            ("root", report.root),
            ("pin", f"{report.pin}, up to record {report.pinned - 1}" if report.pinned else report.pin or "none"),
            ("witness", witnessed),
            ("key", f"{report.key}, id {report.key_id}"),
            ("verifier", report.verifier),
            ("SQLite", f"{report.sqlite}, journal mode {report.journal_mode}, schema {report.schema_version}"),
            ("file system", report.file_system),
        ]
    )


def show_export(exported: Exported, out: Output) -> None:
    where = f" to {exported.file}" if exported.file else ""
    out.note(f"{count(exported.records, 'record')} exported{where}, under a checkpoint over {exported.size}.")
    if exported.verifier:
        out.note(f"Check it: python3 -I -S {exported.verifier} {exported.file} --key KEY")
        out.note(f"KEY is {exported.key}; give it to the reader by another way than the export.")


def show_import(imported: Imported, out: Output) -> None:
    out.line(f"{count(imported.records, 'record')} of {imported.origin} in {imported.file}, read-only.")
    if not imported.complete:
        out.line(INCOMPLETE)
    out.hint(f"rig audit --from {imported.file}")


def show_replay(replayed: Replayed, out: Output) -> None:
    show_folded(replayed.projections, out)
    out.note(f"{count(replayed.records, 'record')} of {replayed.origin} folded, verified under root {replayed.root}.")
    if replayed.first:
        out.note(f"The {count(replayed.first, 'record')} before them are in an archive.")
    out.line(replayed.digest)


def show_rebuild(rebuilt: Rebuilt, out: Output) -> None:
    show_folded(rebuilt.projections, out)
    out.note(f"{count(rebuilt.records, 'record')} folded anew.")


def show_folded(folded: list[Folded], out: Output) -> None:
    rows = [(each.name, str(each.version), str(each.rows), each.digest) for each in folded]
    out.table(("PROJECTION", "VERSION", "ROWS", "DIGEST"), rows)


def show_archive(archived: Archived, out: Output) -> None:
    if archived.file:
        last = archived.first + archived.records - 1
        out.line(f"Records {archived.first} to {last} are in {archived.file}; {archived.left} are left in the journal.")
        out.note("Keep the file: nothing but it holds them now. `rig journal verify FILE` checks it.")
    else:
        out.line("Nothing is older than that.")
    if archived.held_back:
        out.note(f"The rest stays: {archived.held_back}.")


def ask_archive(command: ArchiveJournal) -> str:
    return f"Move all records from before {command.before} out of the journal, into a file?"


VERBS = {
    "verify": Verb(command=VerifyJournal, render=show_verification),
    "info": Verb(command=JournalInfo, render=show_info),
    "export": Verb(command=ExportJournal, render=show_export, item=write_chunk),
    "import": Verb(command=ImportJournal, render=show_import),
    "replay": Verb(command=ReplayJournal, render=show_replay),
    "rebuild": Verb(command=RebuildProjections, render=show_rebuild),
    "archive": Verb(command=ArchiveJournal, render=show_archive, question=ask_archive),
}
