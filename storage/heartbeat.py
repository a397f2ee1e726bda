"""Heartbeats: what a journal signs while nothing is appended to it.

A checkpoint says what a journal holds, and not when. So after an hour without a record the newest checkpoint is signed
once more, with the time in the signature: C2SP tlog-cosignature, ``cosignature/v1``, by the journal's own key. It says
that these were all the records at that time. One is kept for each quiet time, the last; whoever holds a copy can tell a
record that was slipped in behind it and dated back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from storage import record
from storage.keys import Keys
from storage.verify_records import Found
from storage.witness import cosignature, cosigned_at

SECOND = 1_000_000_000
QUIET = 3600
"""Seconds without a record, or without another heartbeat, after which one is due."""
SINCE = 3
"""The first schema that has them."""


def beat(connection: sqlite3.Connection, signer: Keys, now: int) -> bool:
    """Inside a transaction that writes: sign that nothing was appended until ``now``, nanoseconds, if it is time."""
    found = connection.execute("""
        SELECT head.size, max(head.last_at / 1000000000, coalesce(heartbeat.at, 0)), checkpoint.note
        FROM head JOIN checkpoint ON checkpoint.size = head.size LEFT JOIN heartbeat ON heartbeat.size = head.size
    """).fetchone()
    at = now // SECOND
    if found is None or at - found[1] < QUIET:
        return False
    size, _, note = found
    line = cosignature(signer.private, signer.public, signer.origin, note, at)
    connection.execute("INSERT OR REPLACE INTO heartbeat VALUES (?, ?, ?)", (size, at, note + line))
    return True


def check(connection: sqlite3.Connection, signer: Keys | None) -> Iterator[Found]:
    """Whether each heartbeat is signed by the journal, and the records around it are as old as it says.

    What it says of the tree is for others to check: its note is a checkpoint.
    """
    query = """
        SELECT heartbeat.size, heartbeat.at, heartbeat.note, before.at, after.at, after.rec FROM heartbeat
        LEFT JOIN event before ON before.pos = heartbeat.size - 1 LEFT JOIN event after ON after.pos = heartbeat.size
        ORDER BY heartbeat.size"""
    for size, at, note, before, after, rec in connection.execute(query).fetchall():
        if signer is not None and cosigned_at(note, signer.origin, signer.public) != at:
            yield "BAD_SIGNATURE", f"the heartbeat at {size} was not signed by this journal's key", size - 1, size - 1
        if before is not None and before // SECOND > at:
            yield "BACKDATED", f"the heartbeat at {size} is older than the record before it", size - 1, size - 1
        if after is not None and after // SECOND < at and not _clock_was_set_back(rec):
            yield "BACKDATED", f"record {size} is dated to a time when it was signed that there was none", size, size


def _clock_was_set_back(rec: str) -> bool:
    """Whether the record says of itself that the clock was set back before it."""
    try:
        return "clock_back_us" in record.parse(rec).meta
    except ValueError:
        return False  # which is a finding of its own
