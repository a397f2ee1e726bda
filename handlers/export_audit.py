"""`rig audit export`: entries for somebody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from heapq import merge
from itertools import islice

import msgspec

from handlers.audit_answer import Row, entry, everything, is_look_up, lead_of, number_of_all
from handlers.audit_changes import fits, of_rows, told, told_in
from handlers.audit_query import question
from handlers.audit_sources import Sources, known_of, name_of, records
from handlers.export_html import page
from handlers.export_ocsf import event
from rig.contract.review import AuditEntry, AuditExport, ExportAudit, Replicated, Source
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Record

PAGE = 500
"""Rows whose changes are told in one go."""
FIELDS = tuple(name for name in AuditEntry.__struct_fields__ if name != "effects")
"""Columns of CSV: its lines are records, and have no effects."""
RECORDS = {
    "local": "the record of one machine",
    "observed": "the platform's record",
    "local+observed": "the record of one machine, and the platform's",
    "export": "an export that was imported",
}
"""What an entry's numbers are of, by the name of the record."""
UNPROVEN = (
    "This is what was asked for, and no proof that nothing else was there: `rig journal export` writes the records"
    " themselves, with their proofs."
)


class Counted:
    """Entries of one or two records, counted on their way."""

    def __init__(self, command: ExportAudit, ctx: ClientContext, sources: Sources) -> None:
        self.number = 0
        self._matching: Counter[Source] = Counter()
        self._changes = by_change(command)
        self._asked = question(command, ctx.stamp.at, changes=self._changes)
        self._texts = ctx.ports.texts
        self._sources = sources

    def __iter__(self) -> Iterator[AuditEntry]:
        told_as = self._changes_of if self._changes else self._records_of
        each = [told_as(name, record, everything(record, self._asked, self._texts)) for name, record in self._sources]
        # Each record is in its own order; of two, what happened first comes first.
        for one in merge(*each, key=lambda entry: entry.at):
            self.number += 1
            yield one

    def excluded(self) -> int:
        """How many do not match; call it when all were taken. Of two records with changes in both, at the least."""
        others = [number_of_all(record, self._asked) - self._matching[source] for source, record in self._sources]
        return max(others) if self._changes else sum(others)

    def _records_of(self, source: Source, record: Record, rows: Iterator[Row]) -> Iterator[AuditEntry]:
        for row in rows:
            self._matching[source] += 1
            yield entry(row, source)

    def _changes_of(self, source: Source, record: Record, rows: Iterator[Row]) -> Iterator[AuditEntry]:
        """The changes of which these rows are parts; what the platform recorded for a local one is told there."""
        local = dict(self._sources).get("local") if source == "observed" else None
        seen: set[int] = set()
        while page := list(islice(rows, PAGE)):
            fresh = {lead_of(row): row for row in page if lead_of(row) not in seen}
            seen |= fresh.keys()
            for change in of_rows(record, source, fresh.values()):
                if fits(change, self._asked):
                    self._matching[source] += not is_look_up(change.head)
                    if local is None or not told_in(local, change, self._asked):
                        yield told(change)


def by_change(command: ExportAudit) -> bool:
    """Whether an entry stands for a change: people read pages, and programs want records."""
    return command.format == "html" and not command.all_records


def handle(command: ExportAudit, ctx: ClientContext) -> AuditExport:
    if command.format == "jsonl":
        return with_proofs(command, ctx)
    sources = records(command, command.from_file, ctx)
    entries, known, record = Counted(command, ctx, sources), known_of(sources, ctx), name_of(sources)
    with ctx.ports.writing(command.file, overwrite=command.overwrite) as write:
        version = ctx.stamp.client.partition("/")[2]
        for part in document(command, iter(entries), facts(command, record, known, ctx.stamp.at), version):
            write(part)
    return AuditExport(
        format=command.format,
        file=command.file,
        record=record,
        entries=entries.number,
        excluded=entries.excluded(),
        replica=known,
    )


def document(command: ExportAudit, entries: Iterator[AuditEntry], said: list[str], version: str) -> Iterator[str]:
    """The export in its format, part by part."""
    match command.format:
        case "html":
            yield from page(entries, said)
        case "csv":
            yield ",".join(FIELDS) + "\n"
            for one in entries:
                yield ",".join(cell(getattr(one, name)) for name in FIELDS) + "\n"
        case "ocsf":
            for one in entries:
                yield msgspec.json.encode(event(one, version)).decode() + "\n"


def with_proofs(command: ExportAudit, ctx: ClientContext) -> AuditExport:
    """The records behind the entries, each with the proof that it stands in the journal of this machine, or in the
    platform's.

    Raises `RigError` ``usage`` for an export that was imported: it is an export already.
    """
    if command.from_file:
        raise RigError(
            "usage",
            "Proofs are taken from the records themselves, and not from an export that was imported.",
            "Take html, csv or ocsf, or leave out `--from`.",
        )
    one = msgspec.structs.replace(command, source=command.source or "local")
    sources = records(one, "", ctx)
    ((source, record),) = sources
    replica = ctx.ports.replica
    if not command.source and replica is not None and replica.size():
        ctx.warn("The platform's record is not in it: `--record observed` writes what that holds to another file.")
    asked = question(command, ctx.stamp.at)
    total = next(record.rows("SELECT count(*) AS n FROM audit"))["n"]
    rows = list(everything(record, asked, ctx.ports.texts))
    streams = msgspec.json.encode([row["stream"] for row in rows if row["stream"].startswith("command:")]).decode()
    # A command is one entry, and its beginning and end are two records.
    ends = record.rows(
        "SELECT pos FROM event WHERE type LIKE 'command.%' AND stream IN (SELECT value FROM json_each(?))", (streams,)
    )
    positions = sorted({row["pos"] for row in rows} | {row["pos"] for row in ends})
    export = replica.export if replica is not None and source == "observed" else ctx.ports.evidence.export
    with ctx.ports.writing(command.file, overwrite=command.overwrite) as write:
        written = export(write, positions=positions, chosen_by=filters(command), at=ctx.stamp.at)
    return AuditExport(
        format="jsonl",
        file=command.file,
        record=source,
        key=written.key,
        entries=len(rows),
        excluded=total - len(rows),
        replica=known_of(sources, ctx),
    )


def filters(command: ExportAudit) -> dict[str, str]:
    """The filters that were given."""
    given = msgspec.structs.asdict(command)
    return {name: str(value) for name, value in given.items() if value and name not in {"format", "file", "overwrite"}}


def facts(command: ExportAudit, record: str, known: Replicated | None, now: int) -> list[str]:
    """What a reader has to know of an export: from what it was taken, by which filters, and what is not in it."""
    chosen = ", ".join(f"{name} {value}" for name, value in filters(command).items())
    said = [f"Taken {rfc3339(now)} from {RECORDS.get(record, record)}.", f"Filters: {chosen or 'none'}."]
    if known is not None:
        said.append(
            f"Of the platform's record {known.origin} this is as of {known.synced_at}: {known.size} records,"
            f" {known.withheld} of them withheld."
        )
        if known.forked:
            said.append(f"The platform's record is not the one that it was: {known.forked}.")
    return [*said, UNPROVEN]


def cell(value: object) -> str:
    """A value as RFC 4180 quotes it. What a spreadsheet would run as a formula gets a quote before it (CWE-1236)."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if isinstance(value, str) and text[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        text = "'" + text
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text
