"""What a store holds and where: one SQLite file beside the data.

Everything in it is about data that is already on the disk and flushed, so a row that is there can be relied on. Each
row says when its data arrived or was last *claimed*: whoever is told that something is here may count on it for a day,
since nothing that was seen within one is collected.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

SCHEMA_VERSION = 2
_AT_ONCE = 500
"""Ids in one query; SQLite takes at least 999."""
LOOSE = 0
"""In place of a segment's number: the content is a file of its own."""
CLAIM_STEP = 3600
"""Seconds: a claim that is younger is not written again, so that asking for what is here rarely costs a flush."""

_SCHEMA = """
create table segments (id integer primary key autoincrement, size integer not null);
create table contents (
    id blob primary key, segment integer not null, offset integer not null, size integer not null
) without rowid;
create table parts (
    content blob not null, size integer not null, number integer not null, primary key (content, size, number)
) without rowid;
create table directories (
    id blob primary key, body blob not null, whole integer not null default 0, files integer not null default 0,
    bytes integer not null default 0, height integer not null default 0, longest integer not null default 0,
    climb integer not null default 0
);
"""
_SEEN = ("contents", "parts", "directories")
"""The tables whose rows say when they were seen: since version 2, in seconds since the epoch."""


class Place(msgspec.Struct, frozen=True):
    """Where a content stands: ``segment`` is `LOOSE` for one in a file of its own."""

    segment: int
    offset: int
    size: int


class Totals(msgspec.Struct, frozen=True):
    """What is below a directory that is whole."""

    files: int = 0
    bytes: int = 0
    height: int = 0
    """Directories below one another."""
    longest: int = 0
    """Bytes of the longest path."""
    climb: int = 0
    """How far the symlinks below go up beyond this directory; a root has to have 0."""


class Index:
    """Safe to use from several threads; each method is one step."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma synchronous = full")
        with self.change():
            (version,) = self._db.execute("pragma user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise ValueError(f"{path} has the format {version}, and this node knows {SCHEMA_VERSION}")
            if version < 1:
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
            if version < 2:
                for table in _SEEN:
                    self._db.execute(f"alter table {table} add column seen integer not null default 0")
                    self._db.execute(f"update {table} set seen = ?", (self.now(),))  # noqa: S608
            self._db.execute(f"pragma user_version = {SCHEMA_VERSION}")

    def now(self) -> int:
        """The time as rows keep it: seconds since the epoch."""
        return int(self._clock())

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction, durable at its end; nothing of it stays when an exception leaves it."""
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield self._db
                self._db.execute("commit")
            except BaseException:
                # A full disk may have rolled it back already, or not.
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise

    def add_segment(self, size: int) -> int:
        return int(self._db.execute("insert into segments (size) values (?)", (size,)).lastrowid or 0)

    def drop_segment(self, segment: int) -> None:
        self._db.execute("delete from segments where id = ?", (segment,))

    def add_contents(self, segment: int, rows: Sequence[tuple[bytes, int, int]]) -> int:
        """Add (digest, offset, size) of what was not known yet, and claim the rest; gives how many were new."""
        before, now = self._db.total_changes, self.now()
        self._db.executemany(
            "insert or ignore into contents (id, segment, offset, size, seen) values (?, ?, ?, ?, ?)",
            ((digest, segment, offset, size, now) for digest, offset, size in rows),
        )
        added = self._db.total_changes - before
        if added < len(rows):
            self._claim("contents", [digest for digest, _, _ in rows], now)
        return added

    def add_directories(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Add (digest, encoding) of what was not known yet, and claim the rest."""
        before, now = self._db.total_changes, self.now()
        self._db.executemany(
            "insert or ignore into directories (id, body, seen) values (?, ?, ?)",
            ((digest, body, now) for digest, body in rows),
        )
        if self._db.total_changes - before < len(rows):
            self._claim("directories", [digest for digest, _ in rows], now)

    def add_parts(self, rows: Iterable[tuple[bytes, int, int]]) -> None:
        """Add (digest of the content, its size, number of the part)."""
        now = self.now()
        self._db.executemany(
            "insert or replace into parts (content, size, number, seen) values (?, ?, ?, ?)",
            ((digest, size, number, now) for digest, size, number in rows),
        )

    def drop_parts(self, content: bytes, size: int) -> None:
        self._db.execute("delete from parts where content = ? and size = ?", (content, size))

    def mark_whole(self, rows: Iterable[tuple[bytes, Totals]]) -> None:
        self._db.executemany(
            "update directories set whole = 1, files = ?, bytes = ?, height = ?, longest = ?, climb = ? where id = ?",
            ((t.files, t.bytes, t.height, t.longest, t.climb, digest) for digest, t in rows),
        )

    def _claim(self, table: str, digests: Sequence[bytes], now: int) -> None:
        self._db.executemany(
            f"update {table} set seen = ? where id = ? and seen < ?",  # noqa: S608
            ((now, digest, now - CLAIM_STEP) for digest in digests),
        )

    def claim_contents(self, digests: Sequence[bytes]) -> set[bytes]:
        """Which of these contents are here, from now on for a day at least."""
        return self._claimed("contents", digests)

    def claim_directories(self, digests: Sequence[bytes]) -> set[bytes]:
        """Which of these directories are here with all that is below them, from now on for a day at least."""
        return self._claimed("directories", digests, " and whole")

    def _claimed(self, table: str, digests: Sequence[bytes], condition: str = "") -> set[bytes]:
        now = self.now()
        with self._lock:
            seen: dict[bytes, int] = {}
            for some in _batches(digests):
                marks = ",".join("?" * len(some))
                sql = f"select id, seen from {table} where id in ({marks}){condition}"  # noqa: S608
                seen.update(self._db.execute(sql, some))
            old = [digest for digest, at in seen.items() if at < now - CLAIM_STEP]
            if old and self._db.in_transaction:
                self._claim(table, old, now)
            elif old:
                with self.change():
                    self._claim(table, old, now)
        return set(seen)

    def claim_parts(self, content: bytes, size: int) -> set[int]:
        """Which parts of a large content are here, from now on for a day at least."""
        now = self.now()
        with self._lock:
            sql = "select number, seen from parts where content = ? and size = ?"
            seen: dict[int, int] = dict(self._db.execute(sql, (content, size)))
            if any(at < now - CLAIM_STEP for at in seen.values()):
                with self.change():
                    self._db.execute("update parts set seen = ? where content = ? and size = ?", (now, content, size))
        return set(seen)

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[int, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def place(self, digest: bytes) -> Place | None:
        return self.places([digest]).get(digest)

    def places(self, digests: Sequence[bytes]) -> dict[bytes, Place]:
        """Where these contents stand; those that are not here are left out."""
        found: dict[bytes, Place] = {}
        for some in _batches(digests):
            marks = ",".join("?" * len(some))
            sql = f"select id, segment, offset, size from contents where id in ({marks})"  # noqa: S608
            with self._lock:
                for row in self._db.execute(sql, some):
                    found[row[0]] = Place(row[1], row[2], row[3])
        return found

    def totals(self, digest: bytes) -> Totals | None:
        """The totals of a directory; None unless it is there with all that is below it."""
        rows = self._rows(
            "select files, bytes, height, longest, climb from directories where id = ? and whole", (digest,)
        )
        return Totals(*rows[0]) if rows else None

    def body(self, digest: bytes) -> bytes | None:
        with self._lock:
            row = self._db.execute("select body from directories where id = ?", (digest,)).fetchone()
        return None if row is None else bytes(row[0])

    def is_empty(self) -> bool:
        """Whether nothing has arrived yet, not even a part."""
        return not self._rows(
            "select 1 where exists (select 1 from contents) or exists (select 1 from directories)"
            " or exists (select 1 from parts)"
        )

    def parts(self, content: bytes, size: int) -> set[int]:
        return {
            row[0] for row in self._rows("select number from parts where content = ? and size = ?", (content, size))
        }


def _batches(digests: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(digests), _AT_ONCE):
        yield digests[start : start + _AT_ONCE]
