"""`rig audit`: for reviewers."""

from __future__ import annotations

from typing import Any

from rig.cli.humanize import brief, count, moment, who
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.review import (
    AuditEntry,
    AuditExport,
    AuditLog,
    AuditRecord,
    AuditStats,
    AuditSummary,
    ExportAudit,
    ListAudit,
    Replicated,
    ShowAudit,
    Streamed,
    TailAudit,
)
from rig.kernel.errors import RigError

HEADERS = ("#", "WHEN", "WHO", "WHAT", "TARGET", "OUTCOME", "FROM")
CHANGES = ("#", "WHEN", "WHO", "WHAT", "TARGET", "", "OUTCOME", "FROM")
"""The one without a name holds the release that came of it, beside its app."""


def show_log(log: AuditLog, out: Output) -> None:
    if log.each == "row":
        headers = tuple(log.rows[0]) if log.rows else ()
        out.table(headers, [tuple(map(plain, row.values())) for row in log.rows], empty="There is no row.")
        note_record(log.record, log.replica, out)
        return
    changes = log.each == "change"
    narrow, row_of = out.narrow, change_cells if changes else cells
    rows = [row_of(entry, narrow=narrow) for entry in log.entries]
    headers = CHANGES if changes else HEADERS
    out.table(headers, rows, empty="Nothing on the record matches.", whole=("WHEN", "OUTCOME"))
    note_counts(len(log.entries), log, out)
    if log.more:
        out.note("--limit shows more of them.")
    if log.each == "change":
        out.hint("One line for each change; --all shows every record, and look-ups.")
    note_record(log.record, log.replica, out)


def cells(entry: AuditEntry, *, narrow: bool) -> tuple[str, ...]:
    """An entry as a row of a table; ``narrow`` ones fit 80 columns, as far as they can."""
    pos, at, _, action, target, _, outcome, src = change_cells(entry, narrow=narrow)
    return pos, at, who(entry.actor) if narrow else entry.actor, action, target, outcome, src


def change_cells(entry: AuditEntry, *, narrow: bool) -> tuple[str, ...]:
    """A change as a row of a table; ``narrow`` ones fit 80 columns, and `rig audit show` says the rest."""
    outcome = entry.outcome + (f": {entry.code}" if entry.code else "")
    if narrow and entry.code:
        outcome = entry.outcome if entry.outcome == "denied" else entry.code
    return (
        number(entry.source, entry.pos),
        brief(entry.at) if narrow else moment(entry.at),
        who(entry.actor),
        entry.action,
        entry.target,
        f"v{entry.version}" if entry.version else "",
        outcome,
        entry.src,
    )


def number(source: str, pos: int) -> str:
    """``12``, or ``n12`` for a position of the platform's record: what `rig audit show` takes."""
    return f"n{pos}" if source == "observed" else str(pos)


def plain(value: Any) -> Any:
    return "" if value is None else value


def note_counts(shown: int, log: AuditLog, out: Output) -> None:
    """How many there are beside those that are shown."""
    matched = f"{log.matched}{'' if log.exact else ' or more'}"
    if log.excluded:
        others = f"{log.excluded}{' or more' if '+' in log.record else ''}"
        out.note(f"{shown} shown of {matched} that match; {others} do not.")
    elif log.more:
        out.note(f"{shown} shown of {matched}.")


def note_record(record: str, replica: Replicated | None, out: Output) -> None:
    """Whose record that is, and what of it is not here."""
    if record == "export":
        out.note("This is what stood in the export that was imported.")
    elif record == "local":
        out.note("This is the local record: what was done with rig on this machine.")
    elif replica is not None:
        as_of = f"as of {moment(replica.synced_at)}: {count(replica.size, 'record')}"
        hidden = f", {replica.withheld} of them not for you to see" if replica.withheld else ""
        newer = f", {replica.unreadable} of them for a newer rig" if replica.unreadable else ""
        out.note(f"The platform's record (n…) {as_of}{hidden}{newer}.")


def show_record(record: AuditRecord, out: Output) -> None:
    out.pairs(
        [
            ("record", number(record.source, record.pos)),
            ("id", record.id),
            ("leaf", record.leaf + ("" if record.hashed else "  is NOT the hash of what stands here")),
            ("signed", f"by the checkpoint over {record.signed} records" if record.signed > record.pos else "not yet"),
            ("anchored", record.anchored or "in nothing outside of its database"),
        ]
    )
    out.line()
    out.verbatim(record.record)
    out.line()
    time = brief if out.narrow else moment
    rows = [
        (
            "  " * entry.depth + entry.what + (" (ended)" if entry.type == "command.completed" else ""),
            number(entry.source, entry.pos) + (" *" if entry.id == record.id else ""),
            time(entry.at),
            who(entry.actor),
            entry.target,
            entry.outcome,
        )
        for entry in record.tree
    ]
    out.table(("CAUSES AND EFFECTS", "#", "WHEN", "WHO", "TARGET", "OUTCOME"), rows)


def show_stats(summary: AuditSummary, out: Output) -> None:
    headers = [*(key.upper() for key in summary.by), "COUNT", "OUTCOMES"]
    rows = [
        (*row.keys.values(), row.count, ", ".join(f"{name} {n}" for name, n in sorted(row.outcomes.items())))
        for row in summary.rows
    ]
    out.table(headers, rows, empty="Nothing on the record matches.")
    out.note(f"{count(summary.matched, 'entry', 'entries')} counted; {summary.excluded} do not match.")
    if summary.both:
        out.note(f"{summary.both} of them stand in both records, and are counted once.")
    note_record(summary.record, summary.replica, out)


def stats_rows(summary: AuditSummary) -> list[dict[str, Any]]:
    """Groups for CSV and JSON Lines: a column for each key and outcome."""
    return [{**row.keys, "count": row.count, **row.outcomes} for row in summary.rows]


WIDTHS, NARROW = (6, 20, 16, 22, 26, 4, 16), (4, 12, 7, 12, 15, 3, 9)
"""Of the columns of `rig audit tail` but the last one; what comes later is not known, so they cannot be measured."""


def show_item(entry: AuditEntry, out: Output) -> None:
    """One entry of `rig audit tail`, as soon as it is there."""
    if out.format == "jsonl":
        out.event("item", data=entry)
        return
    narrow = out.narrow
    *aligned, outcome, src = change_cells(entry, narrow=narrow)
    if entry.outcome == "unknown" and not entry.ended_at:
        outcome = "…"
    out.row((*aligned, outcome, src), NARROW if narrow else WIDTHS, CHANGES)


def show_tail(streamed: Streamed, out: Output) -> None:
    """It ends with Ctrl-C alone, and then there is nothing to say."""


def write_chunk(text: str, out: Output) -> None:
    """A part of an export on standard output, as it is: it is a document for somebody else."""
    if out.format != "table":
        raise RigError(
            "usage", f"An export is a document of its own; -o {out.format} wants one too.", "Give `--file FILE`."
        )
    out.stdout.write(text)


def show_export(export: AuditExport, out: Output) -> None:
    where = f" in {export.file}" if export.file else ""
    out.note(f"{count(export.entries, 'entry', 'entries')} exported{where}; {export.excluded} do not match.")
    if export.key:
        out.note(f"Check it: rig journal verify {export.file or 'FILE'} --key KEY")
        out.note(f"KEY is {export.key}; give it to the reader by another way than the export.")
    note_record(export.record, export.replica, out)


VERBS = {
    "": Verb(command=ListAudit, render=show_log, rows=lambda log: log.rows if log.each == "row" else log.entries),
    "show": Verb(command=ShowAudit, render=show_record, rows=lambda record: record.tree),
    "stats": Verb(
        command=AuditStats, render=show_stats, rows=stats_rows, columns=lambda summary: [*summary.by, "count"]
    ),
    "tail": Verb(command=TailAudit, render=show_tail, item=show_item, live=True),
    "export": Verb(command=ExportAudit, render=show_export, item=write_chunk),
}
