"""Finding words in journals: a full-text index (SQLite FTS5), kept beside them as a cache.

It is filled by whoever asks, with what was appended since the last question, so an append costs nothing for it. It can
be deleted at any time.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from rig.kernel.errors import RigError
from rig.kernel.files import private_folder
from rig.kernel.ports import Progress, Record
from storage.database import connect, transaction
from storage.files import create_private

VERSION = 1
PAGE = 2_000
NOTICEABLE = 20_000
"""With so many records to take in one is told why it takes a while."""

DDL = (
    "CREATE VIRTUAL TABLE words USING fts5(body, content='', detail='none', tokenize='unicode61')",
    # The end of a command stands in the row of its beginning.
    "CREATE TABLE moved(pos INTEGER PRIMARY KEY, row INTEGER NOT NULL) STRICT",
    "CREATE TABLE progress(one INTEGER PRIMARY KEY CHECK (one = 1), origin TEXT NOT NULL, pos INTEGER NOT NULL) STRICT",
)


class TextIndex:
    """Implements `rig.kernel.ports.Texts`. One file for each journal, in ``folder``."""

    def __init__(self, folder: str, progress: Progress) -> None:
        self._folder = folder
        self._progress = progress

    def find(self, record: Record, words: str, below: int, limit: int) -> tuple[list[int], int]:
        """See `rig.kernel.ports.Texts.find`. Raises `RigError` ``unavailable`` where this SQLite cannot do it."""
        query = match_of(words)
        if not query:
            return [], 0
        try:
            connection = self._current(record)
            try:
                sql = (
                    "SELECT coalesce(moved.row, words.rowid), words.rowid FROM words"
                    " LEFT JOIN moved ON moved.pos = words.rowid"
                    " WHERE words MATCH ? AND words.rowid < ? ORDER BY words.rowid DESC LIMIT ?"
                )
                found = connection.execute(sql, (query, below, limit)).fetchall()
                return [row for row, _ in found], found[-1][1] if len(found) == limit else 0
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            raise RigError(
                "unavailable",
                f"The words of the record cannot be looked up: {error}.",
                "Leave --text out, or use --sql.",
            ) from error

    def _current(self, record: Record) -> sqlite3.Connection:
        """The index of a record, up to date."""
        origin, size = _extent(record)
        private_folder(self._folder)
        path = os.path.join(self._folder, f"{origin.replace('/', '-')}.words.sqlite")
        create_private(path)
        connection = connect(path)
        try:
            connection.execute("PRAGMA synchronous=OFF")  # a cache: what is damaged is made anew
            with transaction(connection):
                begin = self._prepare(connection, origin, size)
                if begin < size:
                    self._take_in(connection, record, begin, size)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection, origin: str, size: int) -> int:
        """See to it that the tables are there; gives how many records they hold."""
        if connection.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            known, pos = connection.execute("SELECT origin, pos FROM progress").fetchone()
            if known == origin and pos <= size:
                return int(pos)
            for table in ("words", "moved", "progress"):
                connection.execute(f"DROP TABLE {table}")
        for statement in DDL:
            connection.execute(statement)
        connection.execute("INSERT INTO progress VALUES (1, ?, 0)", (origin,))
        connection.execute(f"PRAGMA user_version={VERSION:d}")
        return 0

    def _take_in(self, connection: sqlite3.Connection, record: Record, begin: int, size: int) -> None:
        if size - begin > NOTICEABLE:
            self._progress.step(f"Taking in the words of {size - begin} records; this is done once")
        starts: dict[str, int] = {}
        for first in range(begin, size, PAGE):
            end = min(first + PAGE, size)
            sql = "SELECT pos, rec FROM event WHERE pos >= ? AND pos < ? AND rec IS NOT NULL ORDER BY pos"
            for row in record.rows(sql, (first, end)):
                fields = msgspec.json.decode(row["rec"])
                text = " ".join(_texts([fields[name] for name in ("type", "actor", "target", "src", "body")]))
                connection.execute("INSERT INTO words(rowid, body) VALUES (?, ?)", (row["pos"], text))
                if fields["type"] == "command.received":
                    starts[fields["stream"]] = row["pos"]
                elif fields["type"] == "command.completed":
                    start = starts.pop(fields["stream"], None) or _start(record, fields["stream"], row["pos"])
                    if start is not None:
                        connection.execute("INSERT INTO moved VALUES (?, ?)", (row["pos"], start))
            if size - begin > NOTICEABLE:
                self._progress.advance(end - begin, size - begin, "records")
        connection.execute("UPDATE progress SET pos = ?", (size,))


def _extent(record: Record) -> tuple[str, int]:
    """A name for a record, and how far it goes. An export has no head: its name is the id of its first record."""
    head = next(record.rows("SELECT origin, size FROM head"), None)
    if head is not None:
        return head["origin"], head["size"]
    first = next(record.rows("SELECT id FROM event ORDER BY pos LIMIT 1"), {"id": "none"})["id"]
    top = next(record.rows("SELECT coalesce(max(pos), -1) AS top FROM event"), {"top": -1})["top"]
    return f"export-{first}-{top}", top + 1


def match_of(words: str) -> str:
    """The FTS5 query for all of the words; one that ends in `*` stands for all that begin so."""
    kept = "".join(c if c.isalnum() or c == "*" else " " for c in words).split()
    terms = [(word.strip("*"), word.endswith("*")) for word in kept]
    return " AND ".join(f'"{word.replace("*", " ")}"' + "*" * begins for word, begins in terms if word)


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value, the names of members included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _start(record: Record, stream: str, before: int) -> int | None:
    sql = "SELECT max(pos) AS pos FROM event WHERE stream = ? AND pos < ? AND type = 'command.received'"
    found: int | None = next(record.rows(sql, (stream, before)))["pos"]
    return found
