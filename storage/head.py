"""Where the journal ends, and whether that is where rig left it."""

from __future__ import annotations

import sqlite3

from storage import record
from storage.merkle import Frontier
from storage.pin import Pin

READ = """
SELECT origin, size, tip, frontier,
    max(last_at, coalesce((SELECT at FROM heartbeat ORDER BY size DESC LIMIT 1) * 1000000000, 0)) FROM head"""
"""With the newest time that was signed, be it that of a record or of a heartbeat."""


def read_head(connection: sqlite3.Connection, origin: str, pin: Pin) -> tuple[Frontier, bytes, int]:
    """Tree, newest leaf and newest time, inside a transaction that writes; made where the journal is new.

    Raises `ValueError` where the file is not the one that was left, by its pin or by its key, which is that of
    ``origin``.
    """
    found = connection.execute(READ).fetchone()
    if found is None:
        found = (origin, 0, record.GENESIS, b"", 0)
        connection.execute("INSERT INTO head VALUES (1, ?, ?, ?, ?, ?, 0)", found)
    named, size, tip, packed, last_at = found
    frontier = Frontier(size, packed)
    pinned = pin.read()
    if named != origin:
        raise ValueError(f"it says that it is {named}, and its key is that of {origin}")
    if pinned is not None:
        if pinned.origin != origin:
            raise ValueError(f"it is {origin}, and the pin is that of {pinned.origin}")
        if pinned.size > size:
            raise ValueError(f"{pinned.size} records were pinned, and it holds {size}")
        if pinned.size == size and pinned.root != frontier.root():
            raise ValueError(f"its {size} records are not the ones that were pinned")
    return frontier, tip, last_at
