"""Checks a range of records, each by itself and against the one before it. Runs in several processes at once.

What binds the ranges together, the chain from one to the next and the tree over all, is left to `storage.verify`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec

from events.journal import JournalArchived
from storage import record
from storage.database import connect
from storage.merkle import subtree

PAGE = 128
"""Records that are read in one go, between which the read lock is let go; so many stay in the cache of a processor."""
BLOCK = 1024
"""Leaves of a subtree whose root is worked out beside them."""
READ = f"""
SELECT pos, CAST(rec AS BLOB), leaf, {record.COLUMNS} FROM event
WHERE pos >= ? AND pos < ? ORDER BY pos"""  # noqa: S608 - constants
"""`rec` as bytes: what was edited need not be UTF-8 any more."""

Row = tuple[Any, ...]
"""What :data:`READ` gives of a record."""
Found = tuple[str, str, int, int]
"""A finding: its code, a sentence, and the first and last position that it is about."""
_encode = msgspec.json.Encoder(order="deterministic").encode
"""The fields of a record stand in their order; the maps in it are sorted. So this writes the canonical form."""
OUT_OF_REACH = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_READONLY")
"""Errors of SQLite that say nothing about what is in the file."""


def code_of(error: sqlite3.Error | OSError) -> str:
    """What an error in reading the file shows: ``UNREADABLE``, or ``DAMAGED``, which is about the file itself."""
    away = isinstance(error, OSError) or getattr(error, "sqlite_errorname", "").startswith(OUT_OF_REACH)
    return "UNREADABLE" if away else "DAMAGED"


class Range(msgspec.Struct):
    """What is known of the records from ``first`` on."""

    first: int
    end: int
    """Behind the last record that is there."""
    count: int = 0
    prev: str = ""
    """What the first record names as the leaf before it."""
    tip: bytes = b""
    """The leaf of the last one."""
    leaves: bytes = b""
    """All leaves, one after the other; what was kept as a leaf counts, so that one edited record is one finding."""
    roots: list[bytes] = []
    """The roots over each `BLOCK` of them, without the rest; none where no block begins at ``first``."""
    whole: bool = True
    """Whether no position is missing."""
    archives: list[tuple[int, int, str, str]] = []
    """What the records say was archived: first, last and digest, and the digest over the archives before."""
    findings: list[Found] = []


class Reader:
    """One connection, for many ranges. ``Reader.range`` never raises for what is wrong with the records."""

    def __init__(self, path: str, timeout: float) -> None:
        self._connection = connect(path, read_only=True, timeout=timeout)

    def close(self) -> None:
        self._connection.close()

    def pages(self, first: int, end: int, size: int) -> list[tuple[int, int]]:
        """The range from ``first`` to ``end - 1`` in parts of at most ``size`` records, however far apart these are."""
        found: list[tuple[int, int]] = []
        while first < end:
            (begin,) = self._connection.execute("SELECT min(pos) FROM event WHERE pos >= ?", (first,)).fetchone()
            found.append((first, end if begin is None else min(begin + size, end)))
            first = found[-1][1]
        return found

    def range(self, first: int, end: int) -> Range:
        """Check the records from ``first`` to ``end - 1``. Raises `sqlite3.Error` where they cannot be read."""
        result = Range(first, first)
        leaves, expected, tip = [], first, ""
        # This runs for each of millions of records; a name that is not local, and a call, take their time.
        parse, encode, columns, archived = record.parse_open, _encode, record.columns, JournalArchived.type
        for row in self._rows(first, end):
            pos, data, leaf = row[0], row[1], row[2]
            if pos != expected:
                _missing(result, expected, pos - 1)
                tip = ""
            # In one go, because nearly all are as they should be; what is wrong with the others is looked at closely.
            parsed = None
            try:
                parsed = parse(data)
                fine = (
                    sha256(b"\x00" + data).digest() == leaf
                    and encode(parsed) == data
                    and (parsed.prev == tip or not tip)
                    and parsed.pos == pos
                    and columns(parsed) == row[3:]
                )
            except (ValueError, TypeError, RecursionError):
                fine = False
            if not fine:
                _explain(result, row, tip)
            if parsed is not None:
                if pos == first:
                    result.prev = parsed.prev
                if parsed.type == archived:
                    _note_archive(result, parsed.body)
            result.tip = leaf if isinstance(leaf, bytes) else b""
            tip = result.tip.hex()
            leaves.append(result.tip)
            result.end = expected = pos + 1
        if expected < end:
            _missing(result, expected, end - 1)
        result.count = len(leaves)
        if result.whole:
            result.leaves = b"".join(leaves)
            if first % BLOCK == 0:
                blocks = range(0, len(leaves) // BLOCK * BLOCK, BLOCK)
                result.roots = [subtree(leaves[at : at + BLOCK]) for at in blocks]
        return result

    def _rows(self, first: int, end: int) -> Iterator[Row]:
        for page in self.pages(first, end, PAGE):
            yield from self._page(*page)

    def _page(self, first: int, end: int) -> list[Row]:
        try:
            return self._connection.execute(READ, (first, end)).fetchall()
        except sqlite3.OperationalError:
            # A column that is not UTF-8 any more must not hide the records around it.
            self._connection.text_factory = lambda data: data.decode(errors="surrogateescape")
            return self._connection.execute(READ, (first, end)).fetchall()


def _missing(result: Range, first: int, last: int) -> None:
    result.whole = False
    result.findings.append(("GAP", f"records {first} to {last} are missing", first, last))


def _explain(result: Range, row: Row, tip: str) -> None:
    """Find out what is wrong with a record; ``tip`` is the leaf that it has to follow, where that is known."""
    pos, data, leaf = row[:3]
    find = result.findings.append
    if not isinstance(data, bytes):  # of a page that is damaged
        find(("EDITED", f"record {pos} is no record: nothing stands where its text was", pos, pos))
        return
    if sha256(b"\x00" + data).digest() != leaf:
        find(("EDITED", f"record {pos} was edited: its hash is no longer the one that was kept", pos, pos))
    try:
        parsed = record.parse_open(data)
        if _encode(parsed) != data:
            find(("NOT_CANONICAL", f"record {pos} is not in canonical form", pos, pos))
        if tip and parsed.prev != tip:
            find(("CHAIN_BREAK", f"record {pos} does not follow the one before it", pos, pos))
        if parsed.pos != pos or row[3:] != _columns(parsed):
            find(("COLUMN_MISMATCH", f"record {pos} says something else than the columns made from it", pos, pos))
    except (ValueError, RecursionError) as error:
        find(("EDITED", f"record {pos} is no record: {error}", pos, pos))


def _columns(parsed: record.Record) -> tuple[Any, ...]:
    """As `record.columns`; a time that is no number has no columns."""
    try:
        return record.columns(parsed)
    except ValueError:
        return ()


def _note_archive(result: Range, body: Any) -> None:
    match body:
        case {"first": int(first), "last": int(last), "sha256": str(digest), "earlier": str(earlier)}:
            result.archives.append((first, last, digest, earlier))
