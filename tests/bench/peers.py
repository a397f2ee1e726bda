"""Other recorders to hold the journal against: SQLite itself, and the one of the `eventsourcing` library.

That library is no dependency of rig: it is left out unless it can be imported (`pip install --target FOLDER
eventsourcing`, and PYTHONPATH=FOLDER). It keeps its file in WAL mode, its default.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

RECORD = "x" * 650
PAGE = 4096
BARE = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
db.execute("PRAGMA journal_mode=TRUNCATE")
db.execute("PRAGMA synchronous=FULL")
for _ in range(int(sys.argv[2])):
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO event(rec) VALUES (?)", ("x" * 650,))
    db.execute("COMMIT")
"""
EVENTSOURCING = """
import sys, uuid
from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore
recorder = SQLiteApplicationRecorder(SQLiteDatastore(sys.argv[1]))
recorder.create_table()
for _ in range(int(sys.argv[2])):
    event = StoredEvent(originator_id=uuid.uuid4(), originator_version=1, topic="rig:Event", state=b"x" * 650)
    recorder.insert_events([event])
"""


class Peer(NamedTuple):
    """A recorder. ``append`` is a program that takes a file and a number of records."""

    name: str
    file: str
    append: str
    fill: Callable[[str, int], object]
    """Makes a long file, in large transactions."""
    read: Callable[[str], int]
    """Reads all of it; gives the number of records."""
    find: Callable[[str], object]
    """What somebody did, who did nothing: there is no index for it."""


def peers(folder: Path) -> Iterator[Peer]:
    """Those that are here, with empty files."""
    bare = str(folder / "bare.sqlite")
    with closing(sqlite3.connect(bare)) as connection:
        connection.execute("CREATE TABLE event(pos INTEGER PRIMARY KEY, rec TEXT NOT NULL)")
    yield Peer("bare SQLite", bare, BARE, _fill_bare, _read_bare, _find_bare)
    with suppress(ImportError):
        import eventsourcing.sqlite  # type: ignore[import-not-found]  # noqa: F401

        file = str(folder / "eventsourcing.sqlite")
        yield Peer("eventsourcing", file, EVENTSOURCING, _fill_recorder, _read_recorder, _find_in_recorder)


def state(number: int) -> str:
    """A record of the length of one of ours."""
    return f'{{"actor":"user:u{number % 7}","at":{number},"body":"{RECORD[:600]}"}}'


def _fill_bare(path: str, count: int) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = ((state(number),) for number in range(count))
        connection.executemany("INSERT INTO event(rec) VALUES (?)", rows)


def _read_bare(path: str) -> int:
    pages = _pages(path, "SELECT pos, rec FROM event WHERE pos > ? ORDER BY pos LIMIT ?")
    return sum(1 for _, rec in pages if json.loads(rec))


def _find_bare(path: str) -> list[Any]:
    query = "SELECT rec FROM event WHERE json_extract(rec, '$.actor') = 'nobody' ORDER BY pos DESC LIMIT 50"
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def hash_twice(path: str) -> int:
    """The least that a check of a journal does: read every record, its hash and the one above it. Gives the number."""
    count = 0
    for _, rec, leaf in _pages(path, "SELECT pos, rec, leaf FROM event WHERE pos > ? ORDER BY pos LIMIT ?"):
        sha256(b"\x00" + rec.encode()).digest()
        sha256(b"\x01" + leaf + leaf).digest()
        count += 1
    return count


def _pages(path: str, query: str) -> Iterator[Any]:
    last = -1
    with closing(sqlite3.connect(path)) as connection:
        while rows := connection.execute(query, (last, PAGE)).fetchall():
            yield from rows
            last = rows[-1][0]


def _recorder(path: str) -> Any:
    from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

    recorder = SQLiteApplicationRecorder(SQLiteDatastore(path))
    recorder.create_table()
    return recorder


def _fill_recorder(path: str, count: int) -> None:
    from eventsourcing.persistence import StoredEvent  # type: ignore[import-not-found]

    recorder = _recorder(path)
    for first in range(0, count, 5_000):
        recorder.insert_events(
            [
                StoredEvent(
                    originator_id=uuid.uuid4(), originator_version=1, topic="rig:Event", state=state(number).encode()
                )
                for number in range(first, min(first + 5_000, count))
            ]
        )


def _read_recorder(path: str) -> int:
    recorder, count = _recorder(path), 0
    while page := recorder.select_notifications(count + 1, PAGE):
        count += len(page)
    return count


def _find_in_recorder(path: str) -> list[Any]:
    """It finds by originator and by topic alone, so all are read."""
    recorder, count, found = _recorder(path), 0, []
    while page := recorder.select_notifications(count + 1, PAGE):
        found += [event for event in page if b'"nobody"' in event.state]
        count += len(page)
    return found
