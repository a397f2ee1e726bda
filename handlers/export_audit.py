"""`rig audit export`: entries for somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from handlers.audit_answer import entry, everything
from handlers.audit_query import question
from handlers.export_html import page
from handlers.export_ocsf import event
from handlers.list_audit import name_of, records
from handlers.observe import state_of
from rig.contract.review import AuditEntry, AuditExport, ExportAudit, Replicated, Source
from rig.kernel.client import ClientContext, ReaderGone
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Journal, Replica

FIELDS = AuditEntry.__struct_fields__
UNPROVEN = (
    "This is what was asked for, and no proof that nothing else was there: `rig journal export` writes the records"
    " themselves, with their proofs."
)


class Counted:
    """Entries of one or two records, counted on their way."""

    def __init__(
        self, command: ExportAudit, ctx: ClientContext, sources: list[tuple[Source, Journal | Replica]]
    ) -> None:
        self.number = 0
        self._asked = question(command, ctx.stamp.at)
        self._texts = ctx.ports.texts
        self._sources = sources

    def __iter__(self) -> Iterator[AuditEntry]:
        for source, record in self._sources:
            for row in everything(record, self._asked, self._texts):
                self.number += 1
                yield entry(row, source)


def handle(command: ExportAudit, ctx: ClientContext) -> AuditExport:
    local, replica = records(command, ctx)
    sources: list[tuple[Source, Journal | Replica]] = []
    if local is not None:
        sources.append(("local", local))
    if replica is not None:
        sources.append(("observed", replica))
    total = sum(next(record.rows("SELECT count(*) AS n FROM audit"))["n"] for _, record in sources)
    entries, known, record = Counted(command, ctx, sources), state_of(replica), name_of(local, replica)
    with suppress(ReaderGone), ctx.ports.writing(command.file) as write:
        version = ctx.stamp.client.partition("/")[2]
        for part in document(command, iter(entries), facts(command, record, known, ctx.stamp.at), version):
            write(part)
    return AuditExport(
        format=command.format,
        file=command.file,
        record=record,
        entries=entries.number,
        excluded=total - entries.number,
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
        case "jsonl":
            for one in entries:
                yield msgspec.json.encode(one).decode() + "\n"


def facts(command: ExportAudit, record: str, known: Replicated | None, now: int) -> list[str]:
    """What a reader has to know of an export: from what it was taken, by which filters, and what is not in it."""
    names = msgspec.structs.asdict(command)
    filters = [f"{name} {value}" for name, value in names.items() if value and name not in {"format", "file"}]
    said = [f"Taken {rfc3339(now)} from the record: {record}.", f"Filters: {', '.join(filters) or 'none'}."]
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
