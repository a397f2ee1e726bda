"""Checks a table and its indexes as SQLite keeps them, and lets others write meanwhile.

`PRAGMA integrity_check` does all of it under one read lock, and in this journal mode a reader holds up who wants to
commit. So a long table is checked in two steps: `PRAGMA quick_check` walks its trees, a third of the work, and that the
indexes lead to exactly its rows is asked here, slice by slice.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from storage.database import connect
from storage.verify_records import Found

LONG = 50_000
"""Rows from which on a table is not checked in one go: that takes a tenth of a second for as many."""
SLICE = 8192
"""Rows that are looked up in one go, between which the read lock is let go."""
_COUNTED = "wrong # of entries in index "
"""What a quick check says too, since SQLite 3.46 or before. The own check tells where the rows are that it misses."""
_WHERE = re.compile(r"\sWHERE\s", re.IGNORECASE)


class _Index(NamedTuple):
    name: str
    unique: bool
    where: str
    """Which rows it is about, as SQL; names of columns stand by themselves. Empty: all."""
    leads: str
    """SQL: whether it leads to the row ``t``, a unique one to it alone, or is not about it."""


def tables_of(path: str, timeout: float) -> list[str]:
    """The names of all tables of the file."""
    with closing(connect(path, read_only=True, timeout=timeout)) as connection:
        query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name"
        return [name for (name,) in connection.execute(query).fetchall()]


def check_table(path: str, table: str, timeout: float) -> list[Found]:
    """Whether a table and its indexes are whole, and agree. Raises `sqlite3.Error` where that cannot be told."""
    with closing(connect(path, read_only=True, timeout=timeout)) as connection:
        indexes = list(_indexes(connection, table))
        if not _is_long(connection, table):
            found = list(_pragma(connection, "integrity_check", table))
            # It counts the entries of a partial index in some versions of SQLite only.
            return found or list(_check_counts(connection, table, [index for index in indexes if index.where]))
        found = list(_pragma(connection, "quick_check", table))
        if any(_COUNTED not in message for _, message, _, _ in found):
            return found  # what is no tree cannot be walked
        return list(_check_indexes(connection, table, indexes)) or found


def _is_long(connection: sqlite3.Connection, table: str) -> bool:
    query = "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?"
    (without_rowid,) = connection.execute(query, (table,)).fetchone()
    count: int = connection.execute(f"SELECT count(*) FROM {_quoted(table)}").fetchone()[0]  # noqa: S608 - quoted
    return count >= LONG and not without_rowid


def _pragma(connection: sqlite3.Connection, pragma: str, table: str) -> Iterator[Found]:
    for (line,) in connection.execute(f"PRAGMA {pragma}({_quoted(table)})").fetchall():
        if line != "ok":
            yield "DAMAGED", f"the database file is damaged: {line}", -1, -1


def _check_indexes(connection: sqlite3.Connection, table: str, indexes: Sequence[_Index]) -> Iterator[Found]:
    """Each index leads to all of its rows, and has no more entries than those: so it has just the right ones."""
    if not indexes:
        return
    lacking: dict[str, int] = {}
    """Index → the first row of the first slice in which it does not lead to all."""
    for first, last in _slices(connection, table):
        if _not_led_to(connection, table, indexes, first, last):
            for index in indexes:
                if _not_led_to(connection, table, [index], first, last):
                    lacking.setdefault(index.name, first)
    for index in indexes:
        if (at := lacking.get(index.name)) is not None:
            how = ", each by a key of its own" if index.unique else ""
            message = f"the index `{index.name}` does not lead to all rows of `{table}` from {at} on{how}"
            yield "DAMAGED", message, -1, -1
    yield from _check_counts(connection, table, [index for index in indexes if index.name not in lacking])


def _check_counts(connection: sqlite3.Connection, table: str, indexes: Sequence[_Index]) -> Iterator[Found]:
    for index, (rows, entries) in zip(indexes, _counts(connection, table, indexes), strict=True):
        if entries != rows:
            yield "DAMAGED", f"the index `{index.name}` has {entries} entries for {rows} rows of `{table}`", -1, -1


def _indexes(connection: sqlite3.Connection, table: str) -> Iterator[_Index]:
    """The indexes, as the schema describes them. That it is the right schema is checked elsewhere."""
    for _, name, unique, _, partial in connection.execute(f"PRAGMA index_list({_quoted(table)})").fetchall():
        columns = [_quoted(row[2]) for row in connection.execute(f"PRAGMA index_info({_quoted(name)})").fetchall()]
        same = " AND ".join(f"i.{column} IS t.{column}" for column in columns)
        where = ""
        if partial:
            (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
            where = _WHERE.split(sql, maxsplit=1)[1]
            same += f" AND ({where})"
        entry = f"FROM {_quoted(table)} i INDEXED BY {_quoted(name)} WHERE {same}"
        leads = f"EXISTS (SELECT 1 {entry} AND i.rowid IS t.rowid)"
        if unique:  # of rows that share a key, the first alone is found by it
            leads = f"(SELECT i.rowid {entry}) IS t.rowid"
        yield _Index(name, bool(unique), where, f"(({where}) IS NOT TRUE OR {leads})" if where else leads)


def _slices(connection: sqlite3.Connection, table: str) -> Iterator[tuple[int, int]]:
    """First and last number of each slice that has rows; a single row may stand very far away."""
    query = f"SELECT min(rowid) FROM {_quoted(table)} NOT INDEXED WHERE rowid > ?"  # noqa: S608 - quoted
    last = -(1 << 63)
    while (first := connection.execute(query, (last,)).fetchone()[0]) is not None:
        last = min(first + SLICE, 1 << 63) - 1
        yield first, last


def _not_led_to(connection: sqlite3.Connection, table: str, indexes: Sequence[_Index], first: int, last: int) -> int:
    """To how many rows of a slice one of these indexes does not lead."""
    leads = " AND ".join(index.leads for index in indexes)
    lacking = f"SELECT count(*) - count(*) FILTER (WHERE {leads}) FROM {_quoted(table)} t NOT INDEXED"  # noqa: S608
    count: int = connection.execute(f"{lacking} WHERE rowid BETWEEN ? AND ?", (first, last)).fetchone()[0]
    return count


def _counts(connection: sqlite3.Connection, table: str, indexes: Sequence[_Index]) -> list[tuple[int, int]]:
    """For each index how many rows it is about, and how many entries it has."""
    if not indexes:
        return []
    about = ", ".join(f"count(*) FILTER (WHERE {index.where or 'TRUE'})" for index in indexes)
    connection.execute("BEGIN")  # all at one moment
    try:
        rows = connection.execute(f"SELECT {about} FROM {_quoted(table)} NOT INDEXED").fetchone()  # noqa: S608 - quoted
        # Not `count(*)`, for which SQLite takes whichever index it likes.
        queries = [f"SELECT count(1) FROM {_through(table, index)}" for index in indexes]  # noqa: S608 - quoted
        return list(zip(rows, (connection.execute(query).fetchone()[0] for query in queries), strict=True))
    finally:
        connection.execute("COMMIT")


def _through(table: str, index: _Index) -> str:
    return f"{_quoted(table)} INDEXED BY {_quoted(index.name)} WHERE {index.where or 'TRUE'}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
