"""Folds a range of records into projections, page by page. Every record is read and decoded once for all of them."""

from __future__ import annotations

import gc
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeGuard

import msgspec

from rig.kernel.ports import Recorded
from storage import record
from storage.migrate import statements
from storage.projections.base import Batched, Choosy, Lean, Projection, Seeking

PAGE = 256
"""Records that are read in one go, between which the read lock is let go. What is made of so many stays in the cache of
a processor: with 900 it takes a tenth longer. SQLite can join even the longest ones to one text, which has at most 10^9
bytes."""
_INDEX = re.compile(r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+(\w+)", re.IGNORECASE)


def make_tables(connection: sqlite3.Connection, projection: Projection) -> None:
    """Make the tables of a projection, and of its indexes only those that folding asks for.

    To keep an index in order while rows come in costs more than the folding; the others are made at the end.
    """
    for statement in statements(projection.ddl):
        if not is_index(statement) or _is_sought(statement, projection):
            connection.execute(statement)


def make_indexes(connection: sqlite3.Connection, projection: Projection) -> None:
    """Make the indexes that :func:`make_tables` left out."""
    for statement in statements(projection.ddl):
        if is_index(statement) and not _is_sought(statement, projection):
            connection.execute(statement)


def is_index(statement: str) -> bool:
    """Whether a statement makes an index."""
    return _INDEX.match(statement) is not None


def _is_sought(statement: str, projection: Projection) -> bool:
    found = _INDEX.match(statement)
    return found is not None and isinstance(projection, Seeking) and found[1] in projection.sought_by


def fold_range(
    target: sqlite3.Connection,
    source: sqlite3.Connection,
    table: str,
    projections: Sequence[Projection],
    start: int,
    end: int,
) -> None:
    """Apply the records from ``start`` to ``end - 1``. Raises `RigError` for one that cannot be read.

    The records are those of ``table`` in ``source``.
    """
    lean = [each for each in projections if isinstance(each, Lean)]
    others = [each for each in projections if not isinstance(each, Lean)]
    types = _types(others)
    chosen = "" if types is None else f" AND type IN ({', '.join('?' * len(types))})"
    query = f"SELECT rec FROM {table} WHERE pos >= ? AND pos < ?{chosen} ORDER BY pos"  # noqa: S608 - constants
    # A text of many lines is read, and decoded, faster than as many texts.
    page = f"SELECT rec FROM {table} WHERE pos >= ? AND pos < ? ORDER BY pos"  # noqa: S608 - constants
    lines = f"SELECT group_concat(rec, char(10)), count(*) FROM ({page})"  # noqa: S608 - constants
    with without_collecting():
        for first in range(start, end, PAGE):
            span = first, min(first + PAGE, end)
            written, count = source.execute(lines, span).fetchone() if lean else ("", 0)
            picked = source.execute(query, (*span, *sorted(types or ()))).fetchall() if others else []
            with _together(target):
                if count:
                    for projection in lean:
                        projection.apply_written(target, written, count)
                apply_all(target, others, [record.recorded(rec) for (rec,) in picked])


def fold_picked(connection: sqlite3.Connection, projections: Sequence[Projection], positions: Sequence[int]) -> None:
    """Apply the records of the journal that have these positions, which are in rising order."""
    query = "SELECT type, rec FROM event WHERE pos IN (SELECT value FROM json_each(?)) ORDER BY pos"
    for first in range(0, len(positions), PAGE):
        picked = msgspec.json.encode(positions[first : first + PAGE]).decode()
        apply_page(connection, projections, connection.execute(query, (picked,)).fetchall())


def apply_page(
    connection: sqlite3.Connection, projections: Sequence[Projection], page: Sequence[tuple[str, str]]
) -> None:
    """Apply records as they were written, each with its type. It is decoded for those alone that look at it."""
    lean = [each for each in projections if isinstance(each, Lean)]
    others = [each for each in projections if not isinstance(each, Lean)]
    types = _types(others)
    with _together(connection):
        if lean and page:
            written = "\n".join([rec for _, rec in page])
            for projection in lean:
                projection.apply_written(connection, written, len(page))
        apply_all(connection, others, [record.recorded(rec) for kind, rec in page if types is None or kind in types])


@contextmanager
def _together(connection: sqlite3.Connection) -> Iterator[None]:
    """Outside of a transaction every row would be one of its own."""
    alone = not connection.in_transaction
    if alone:
        connection.execute("BEGIN")
    yield
    if alone:
        connection.execute("COMMIT")


@contextmanager
def without_collecting() -> Iterator[None]:
    """What a page leaves behind is no cycle; looking for some takes a fifth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def apply_all(connection: sqlite3.Connection, projections: Sequence[Projection], records: Sequence[Recorded]) -> None:
    """Fold records into each projection, at once where it knows how."""
    for projection in projections:
        wanted = records
        if _is_choosy(projection):
            types = projection.types
            wanted = [recorded for recorded in records if recorded.fact.type in types]
        if _is_batched(projection):
            projection.apply_all(connection, wanted)
            continue
        for recorded in wanted:
            projection.apply(connection, recorded)


# Every append asks; `isinstance` takes a hundred times as long for a protocol, until Python 3.12.
def _is_choosy(projection: Projection) -> TypeGuard[Choosy]:
    return hasattr(projection, "types")


def _is_batched(projection: Projection) -> TypeGuard[Batched]:
    return hasattr(projection, "apply_all")


def _types(projections: Sequence[Projection]) -> set[str] | None:
    """The types of facts that are looked at; None for all of them."""
    types: set[str] = set()
    for projection in projections:
        if not isinstance(projection, Choosy):
            return None
        types.update(projection.types)
    return types
