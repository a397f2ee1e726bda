"""Folds a range of records into a projection, page by page."""

from __future__ import annotations

import gc
import sqlite3

from storage import record
from storage.projections.base import Projection

PAGE = 2000
"""Records that are read in one go, between which the read lock is let go."""


def fold_range(
    target: sqlite3.Connection, source: sqlite3.Connection, table: str, projection: Projection, start: int, end: int
) -> None:
    """Apply the records from ``start`` to ``end - 1``. Raises `RigError` for one that cannot be read.

    The records are those of ``table`` in ``source``. A projection that names the ``types`` that it folds is given no
    others, and they are not even decoded.
    """
    types = tuple(getattr(projection, "types", ()))
    chosen = f" AND type IN ({', '.join('?' * len(types))})" if types else ""
    query = f"SELECT rec FROM {table} WHERE pos >= ? AND pos < ?{chosen} ORDER BY pos"  # noqa: S608 - constants
    apply = projection.apply
    # What a page leaves behind is no cycle; looking for some takes a fifth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        for first in range(start, end, PAGE):
            for (rec,) in source.execute(query, (first, min(first + PAGE, end), *types)).fetchall():
                apply(target, record.recorded(rec))
    finally:
        if collecting:
            gc.enable()
