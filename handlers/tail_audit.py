"""`rig audit tail`: the record of this machine while it grows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from handlers.audit_answer import Row, answer, entry
from handlers.audit_query import question
from rig.contract.review import AuditEntry, Streamed, TailAudit
from rig.kernel.client import ClientContext, ReaderGone
from rig.kernel.ports import Journal

POLL = 0.1
"""Seconds between two looks at SQLite's data version, which costs microseconds and changes with every commit."""
PAGE = 1_000


def handle(command: TailAudit, ctx: ClientContext) -> Streamed:
    """Runs until it is interrupted, or nobody reads any more."""
    shown = 0
    with suppress(ReaderGone):
        for one in follow(command, ctx):
            ctx.ports.show(one)
            shown += 1
    return Streamed(entries=shown)


def follow(command: TailAudit, ctx: ClientContext) -> Iterator[AuditEntry]:
    """The newest entries, then each that comes. A command is shown when it begins, and again when it has ended."""
    journal, texts = ctx.journal, ctx.ports.texts
    after = newest(journal)
    begin = answer(journal, question(command, ctx.stamp.at), command.limit, texts).rows
    rows = [row for row in reversed(begin) if row["pos"] <= after]
    running: set[int] = set()
    version = None
    while True:
        for row in rows:
            yield entry(row, "local")
            goes_on = row["outcome"] == "unknown" and row["ended_at"] is None
            (running.add if goes_on else running.discard)(row["pos"])
        seen = next(journal.rows("PRAGMA data_version"))["data_version"]
        if seen == version and len(rows) < PAGE:
            time.sleep(POLL)
            rows = []
            continue
        version, end = seen, newest(journal)
        fresh = answer(journal, question(command, ctx.stamp.at, max(after, 0)), PAGE, texts).rows
        fresh = [row for row in fresh if row["pos"] > after]
        # What does not match is not looked at again.
        after = fresh[-1]["pos"] if len(fresh) >= PAGE - 1 else max(end, fresh[-1]["pos"] if fresh else after)
        rows = [*ended(journal, running), *fresh]


def newest(journal: Journal) -> int:
    """Position of the newest row, -1 where there is none."""
    return int(next(journal.rows("SELECT coalesce(max(pos), -1) AS pos FROM audit"))["pos"])


def ended(journal: Journal, running: set[int]) -> list[Row]:
    """The rows of commands that have come to their end."""
    among = msgspec.json.encode(sorted(running)).decode()
    sql = "SELECT * FROM audit WHERE pos IN (SELECT value FROM json_each(?)) AND ended_at IS NOT NULL ORDER BY ended_at"
    return list(journal.rows(sql, (among,)))
