"""Folds a range of records into a projection, page by page."""

from __future__ import annotations

import gc
import re
import sqlite3
from collections.abc import Sequence

from rig.kernel.ports import Recorded
from storage import record
from storage.migrate import statements
from storage.projections.base import Batched, Choosy, Projection

_PARTIAL_OR_TABLE = re.compile(r"^\s*(CREATE (?!(UNIQUE )?INDEX)|.*\bWHERE\b)", re.IGNORECASE | re.DOTALL)
PAGE = 2000
"""Records that are read in one go, between which the read lock is let go."""


def make_tables(connection: sqlite3.Connection, projection: Projection) -> None:
    """Make the tables of a projection, and of its indexes those that cover some rows only, as folding asks for.

    To keep an index over all rows in order while they come in costs more than the folding; it is made at the end.
    """
    for statement in statements(projection.ddl):
        if _PARTIAL_OR_TABLE.search(statement):
            connection.execute(statement)


def fold_range(
    target: sqlite3.Connection, source: sqlite3.Connection, table: str, projection: Projection, start: int, end: int
) -> None:
    """Apply the records from ``start`` to ``end - 1``. Raises `RigError` for one that cannot be read.

    The records are those of ``table`` in ``source``.
    """
    types = projection.types if isinstance(projection, Choosy) else ()
    chosen = f" AND type IN ({', '.join('?' * len(types))})" if types else ""
    query = f"SELECT rec FROM {table} WHERE pos >= ? AND pos < ?{chosen} ORDER BY pos"  # noqa: S608 - constants
    # What a page leaves behind is no cycle; looking for some takes a fifth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        for first in range(start, end, PAGE):
            page = source.execute(query, (first, min(first + PAGE, end), *types)).fetchall()
            apply_all(target, projection, [record.recorded(rec) for (rec,) in page])
    finally:
        if collecting:
            gc.enable()


def apply_all(connection: sqlite3.Connection, projection: Projection, records: Sequence[Recorded]) -> None:
    """Fold records in, at once where the projection knows how."""
    if isinstance(projection, Batched):
        projection.apply_all(connection, records)
        return
    for recorded in records:
        projection.apply(connection, recorded)
