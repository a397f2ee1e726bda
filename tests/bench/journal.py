"""What the journal costs above SQLite itself."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from events.network import NetworkCreated
from rig.kernel.ids import uuid7
from rig.kernel.ports import Draft, Stamp
from storage.journal import Journal
from storage.projections.audit import AuditProjection
from storage.projections.releases import ReleasesProjection
from tests.bench.harness import Figure, compare

APPENDS = 100


def figures(folder: Path) -> Iterator[Figure]:
    """Append with hash, signature, projections and pin, against a bare INSERT with the same durability."""
    journal = Journal.open(
        folder / "journal.sqlite", origin="bench", projections=(AuditProjection(), ReleasesProjection())
    )
    bare = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    bare.execute("PRAGMA journal_mode=TRUNCATE")
    bare.execute("PRAGMA synchronous=FULL")
    bare.execute("CREATE TABLE event(pos INTEGER PRIMARY KEY, rec TEXT NOT NULL)")
    count = 0

    def ours() -> None:
        nonlocal count
        for _ in range(APPENDS):
            count += 1
            stamp = Stamp(id=uuid7(), actor="user:bench", at=time.time_ns())
            journal.append([Draft(stream=f"network:n{count}", fact=NetworkCreated(name=f"n{count}"))], stamp)

    def peer() -> None:
        for _ in range(APPENDS):
            bare.execute("BEGIN IMMEDIATE")
            bare.execute("INSERT INTO event(rec) VALUES (?)", ("x" * 500,))
            bare.execute("COMMIT")

    try:
        yield compare(
            f"journal: {APPENDS} appends, hash, signature, pin and projections included",
            ours,
            peer,
            peer_name="bare INSERT, FULL",
            budget="≤ 3 ×",
            runs=7,
        )
    finally:
        journal.close()
        bare.close()
