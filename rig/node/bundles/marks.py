"""Which directories and contents are needed: all that is below a kept bundle, or below what was seen lately.

The marks are temporary tables of the index, so that they take no memory however large the store is, and the index is
locked only for a moment at a time while they are made.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

import msgspec

from rig.contract.bundles import DIRECTORY, decode_directory
from rig.node.bundles.index import Index

_STEP = 200
"""Directories that are looked at while the index is locked."""

_DROP = "drop table if exists temp.kept_directories; drop table if exists temp.kept_contents"
_CREATE = """
create temp table kept_directories (id blob primary key, walked integer not null default 0) without rowid;
create index temp.not_walked on kept_directories (id) where walked = 0;
create temp table kept_contents (id blob primary key) without rowid;
"""


class Stopped(Exception):
    """The node is about to end, so the work was left where it was."""


class Segment(msgspec.Struct, frozen=True):
    id: int
    size: int
    live: int
    """Bytes in it that are needed."""
    contents: int
    """How many contents in it are needed; some may be empty."""

    @property
    def mostly_garbage(self) -> bool:
        """Whether less than half of it is needed, but some of it is."""
        return self.contents > 0 and self.live * 2 < self.size


class Marks:
    """The marks of one collection. ``since``, in seconds: what was seen from then on is needed, too."""

    def __init__(self, index: Index, since: int) -> None:
        self._index = index
        self._since = since

    def make(self, roots: Iterable[bytes], stop: Callable[[], bool]) -> None:
        """Mark what is needed now; others go on meanwhile. Raises `Stopped`."""
        with self._index.change() as db:
            _run(db, _DROP)
            _run(db, _CREATE)
            db.executemany("insert or ignore into kept_directories (id) values (?)", ((root,) for root in roots))
        with self._index.change() as db:
            self._add_seen(db)
        going_on = True
        while going_on:
            if stop():
                raise Stopped
            with self._index.change() as db:
                going_on = _walk(db)

    def complete(self, db: sqlite3.Connection) -> None:
        """Inside a change: mark, too, what arrived or was claimed since. From here to its end nobody else can claim."""
        self._add_seen(db)
        while _walk(db):
            continue

    def drop(self) -> None:
        """Forget the marks."""
        with self._index.change() as db:
            _run(db, _DROP)

    def _add_seen(self, db: sqlite3.Connection) -> None:
        db.execute(
            "insert or ignore into kept_directories (id) select id from directories where seen >= ?", (self._since,)
        )
        db.execute("insert or ignore into kept_contents select id from contents where seen >= ?", (self._since,))


def _run(db: sqlite3.Connection, script: str) -> None:
    # Not executescript, which would end the transaction.
    for statement in script.split(";"):
        db.execute(statement)


def _walk(db: sqlite3.Connection) -> bool:
    """Mark what stands in some of the marked directories; whether there was anything left to look at."""
    rows = db.execute(
        "select k.id, d.body from kept_directories k join directories d on d.id = k.id where k.walked = 0 limit ?",
        (_STEP,),
    ).fetchall()
    for _, body in rows:
        entries = decode_directory(body)
        db.executemany(
            "insert or ignore into kept_directories (id) values (?)",
            ((entry.digest,) for entry in entries if entry.mode == DIRECTORY),
        )
        db.executemany(
            "insert or ignore into kept_contents (id) values (?)",
            ((entry.digest,) for entry in entries if entry.mode != DIRECTORY),
        )
    db.executemany("update kept_directories set walked = 1 where id = ?", ((digest,) for digest, _ in rows))
    return bool(rows)


def segments(db: sqlite3.Connection, needed: str = "1") -> list[Segment]:
    """Every segment. ``needed`` is the condition, in SQL, for a content to be."""
    # One pass over each table, as nothing finds the contents of one segment faster.
    sql = f"select segment, sum(size), count(*) from contents where {needed} group by segment"  # noqa: S608
    live = {number: (size, count) for number, size, count in db.execute(sql)}
    every = db.execute("select id, size from segments order by id")
    return [Segment(number, size, *live.get(number, (0, 0))) for number, size in every]
