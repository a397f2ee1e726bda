"""`rig audit tail`: the record of this machine, and what may be seen of the platform's, while they grow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

import msgspec

from handlers.audit_answer import Row, answer, entry
from handlers.audit_changes import fits, of_rows, told, told_in
from handlers.audit_query import question
from handlers.audit_sources import records
from handlers.list_audit import of_changes, of_records
from handlers.observing import Observing
from rig.contract.review import AuditEntry, Source, Streamed, TailAudit
from rig.kernel.client import ClientContext
from rig.kernel.errors import ReaderGone
from rig.kernel.ports import Record

POLL = 0.1
"""Seconds between two looks at SQLite's data version, which costs microseconds and changes with every commit."""
PAGE = 1_000
REMEMBERED = 1_000
"""Changes of which it is known how they were told last."""


def handle(command: TailAudit, ctx: ClientContext) -> Streamed:
    """Runs until it is interrupted, or nobody reads any more."""
    shown = 0
    with suppress(ReaderGone):
        for one in follow(command, ctx):
            ctx.ports.show(one)
            shown += 1
    return Streamed(entries=shown)


def follow(command: TailAudit, ctx: ClientContext) -> Iterator[AuditEntry]:
    """The newest entries, then each that comes. What has no end yet is shown again when it has ended."""
    sources = records(command, "", ctx)
    replica = ctx.ports.replica if command.source != "local" else None
    here = ctx.journal if command.source != "observed" else None
    local = Watch("local", here, command, ctx) if here is not None else None
    platform = Watch("observed", replica, command, ctx) if replica is not None else None
    begin = (of_records if command.all_records else of_changes)(command, command.limit, sources, ctx)
    yield from reversed(begin.entries)
    observing = Observing(ctx, replica) if replica is not None else None
    while True:
        came = observing is not None and observing.look()
        fresh = [*(local.news() if local else ()), *(platform.news(here, look=came) if platform else ())]
        yield from fresh
        if not fresh and not came:
            time.sleep(POLL)


class Watch:
    """One record while it grows, from where it is now."""

    def __init__(self, source: Source, record: Record, command: TailAudit, ctx: ClientContext) -> None:
        self._source: Source = source
        self._record = record
        self._command = command
        self._now = ctx.stamp.at
        self._asked = question(command, self._now, changes=not command.all_records)
        self._texts = ctx.ports.texts
        self._version: int | None = None
        self._after = self._newest()
        self._running = self._begun(-1, self._after)
        """Positions of commands that have no end yet."""
        self._worded: set[int] = set()
        """Of these, the ones in which the words were found that are looked for."""
        self._told: dict[int, tuple[str, str]] = {}
        """Position of a change → outcome and code, as they were told."""

    def news(self, local: Record | None = None, *, look: bool = False) -> list[AuditEntry]:
        """What has come since the last time.

        What a command of the ``local`` record asked of the platform is told there. ``look``: something has come of
        which SQLite does not tell, since it was written by this connection.
        """
        version = next(self._record.rows("PRAGMA data_version"), {"data_version": 0})["data_version"]
        if version == self._version and not look:
            return []
        self._version = version
        rows = self._rows()
        if self._command.all_records:
            return [entry(row, self._source) for row in rows]
        changes = [one for one in of_rows(self._record, self._source, rows) if fits(one, self._asked)]
        entries = [told(one) for one in changes if local is None or not told_in(local, one, self._asked)]
        return [one for one in entries if self._is_new(one)]

    def _is_new(self, one: AuditEntry) -> bool:
        """Whether a change was not told yet, or told otherwise."""
        said = one.outcome, one.code
        new = self._told.pop(one.pos, None) != said
        self._told[one.pos] = said
        for oldest in list(islice(self._told, max(0, len(self._told) - REMEMBERED))):
            del self._told[oldest]
        return new

    def _rows(self) -> list[Row]:
        """Rows that match: those of commands that have ended, and those that were appended."""
        end = self._newest()
        if self._after < 0 and self._source == "observed":  # nothing was known of this record when the watch began
            self._after = end
            return []
        behind = question(self._command, self._now, self._after, changes=self._asked.changes)
        fresh = answer(self._record, behind, PAGE, self._texts).rows
        # What does not match is not looked at again.
        last = fresh[-1]["pos"] if len(fresh) == PAGE else max([end, *(row["pos"] for row in fresh)])
        if len(fresh) == PAGE:
            self._version = None  # there may be more
        ended = self._ended()
        self._running |= self._begun(self._after, last)
        self._worded |= {row["pos"] for row in fresh if self._asked.text}
        self._after = last
        return [*ended, *fresh]

    def _newest(self) -> int:
        """Position of the newest row, -1 where there is none."""
        return int(next(self._record.rows("SELECT coalesce(max(pos), -1) AS pos FROM audit"), {"pos": -1})["pos"])

    def _begun(self, after: int, last: int) -> set[int]:
        """Commands of these positions that have no end."""
        sql = (
            "SELECT pos FROM audit INDEXED BY audit_stream"
            " WHERE outcome = 'unknown' AND ended_at IS NULL AND pos > ? AND pos <= ?"
        )
        return {row["pos"] for row in self._record.rows(sql, (after, last))}

    def _ended(self) -> list[Row]:
        """The rows of commands that have come to their end, and match."""
        sql = "SELECT * FROM audit WHERE pos IN (SELECT value FROM json_each(?)) AND ended_at IS NOT NULL"
        over = {row["pos"] for row in self._record.rows(sql, (_json(self._running),))}
        self._running -= over
        if self._asked.text:  # its words were looked for when it began
            over &= self._worded
            self._worded -= over
        if not over:
            return []
        sql = f"{sql} AND {self._asked.where} ORDER BY ended_at"
        return list(self._record.rows(sql, (_json(over), *self._asked.parameters)))


def _json(positions: set[int]) -> str:
    return msgspec.json.encode(sorted(positions)).decode()
