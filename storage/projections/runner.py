"""Keeps projections in step with the records, whichever version of rig wrote them.

A row of ``projection`` says which code version made the tables and how many records they hold. A process folds new
records in only where its own version made the tables; otherwise they lag, and whoever has the right version catches
up. A newer version makes the tables anew in a shadow database beside the journal, while others read and write, and
then takes them over in one transaction.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence

from rig.kernel.ports import Recorded
from storage import record
from storage.database import connect, transaction
from storage.projections.base import Projection

PAGE = 2000
"""Records that are read in one go, between which the read lock is let go."""


class State:
    """How far a projection is: its code version in the file, and how many records it has folded."""

    __slots__ = ("pos", "version")

    def __init__(self, version: int, pos: int) -> None:
        self.version = version
        self.pos = pos


def states(connection: sqlite3.Connection) -> dict[str, State]:
    """The state of every projection in the file."""
    return {
        name: State(version, pos)
        for name, version, pos in connection.execute("SELECT name, code_version, pos FROM projection")
    }


def fold(connection: sqlite3.Connection, projections: Sequence[Projection], size: int, new: Sequence[Recorded]) -> None:
    """Inside the transaction that appends ``new`` to ``size`` records: apply them."""
    if not projections:
        return
    known = states(connection)
    for projection in projections:
        state = known.get(projection.name)
        if state is None or state.version != projection.version:
            continue
        if state.pos < size:
            _catch_up(connection, projection, state.pos, size)
        for recorded in new:
            projection.apply(connection, recorded)
        _store(connection, projection, size + len(new))


def lagging(connection: sqlite3.Connection, projections: Sequence[Projection]) -> bool:
    """Whether a projection of ours is behind the records, or made by an older version."""
    known = states(connection)
    size = _size(connection)
    return any(
        (state := known.get(projection.name)) is None
        or state.version < projection.version
        or (state.version == projection.version and state.pos < size)
        for projection in projections
    )


def bring_up(connection: sqlite3.Connection, path: str, projections: Sequence[Projection]) -> None:
    """Make every projection current. Raises `sqlite3.Error`, or `RigError` for a record that cannot be read."""
    for projection in projections:
        state = states(connection).get(projection.name)
        if state is None or state.version < projection.version:
            _rebuild(connection, path, projection)
    with transaction(connection):
        fold(connection, projections, _size(connection), ())


def _rebuild(connection: sqlite3.Connection, path: str, projection: Projection) -> None:
    from storage.files import lock
    from storage.migrate import statements

    # A fixed name under a lock: nobody does the same work twice, and what a killed process left behind is removed.
    shadow_path = f"{path}.shadow"
    with lock(f"{path}.shadow.lock"):
        state = states(connection).get(projection.name)
        if state is not None and state.version >= projection.version:
            return
        folded = 0
        if _size(connection) > PAGE:
            folded = _fill_shadow(connection, shadow_path, projection)
            connection.execute("ATTACH DATABASE ? AS shadow", (shadow_path,))
        try:
            with transaction(connection):
                for table in projection.tables:
                    connection.execute(f'DROP TABLE IF EXISTS main."{table}"')
                for statement in statements(projection.ddl):
                    connection.execute(statement)
                if folded:
                    for table in projection.tables:
                        copy = f'INSERT INTO main."{table}" SELECT * FROM shadow."{table}"'  # noqa: S608 - constants
                        connection.execute(copy)
                _catch_up(connection, projection, folded, _size(connection))
                _store(connection, projection, _size(connection))
        finally:
            if folded:
                connection.execute("DETACH DATABASE shadow")
            _remove(shadow_path)


def _fill_shadow(connection: sqlite3.Connection, shadow_path: str, projection: Projection) -> int:
    """Fold what is there now into a database of its own; gives the number of records."""
    from storage.migrate import statements

    _remove(shadow_path)
    size = _size(connection)
    shadow = connect(shadow_path)
    try:
        shadow.execute("PRAGMA synchronous=OFF")
        shadow.execute("BEGIN")
        for statement in statements(projection.ddl):
            shadow.execute(statement)
        _apply_range(shadow, connection, projection, 0, size)
        shadow.execute("COMMIT")
    finally:
        shadow.close()
    return size


def _catch_up(connection: sqlite3.Connection, projection: Projection, start: int, end: int) -> None:
    _apply_range(connection, connection, projection, start, end)


def _apply_range(
    target: sqlite3.Connection, source: sqlite3.Connection, projection: Projection, start: int, end: int
) -> None:
    query = "SELECT rec FROM event WHERE pos >= ? AND pos < ? ORDER BY pos"
    for first in range(start, end, PAGE):
        for (rec,) in source.execute(query, (first, min(first + PAGE, end))).fetchall():
            projection.apply(target, record.recorded(rec))


def _size(connection: sqlite3.Connection) -> int:
    found = connection.execute("SELECT size FROM head").fetchone()
    return int(found[0]) if found else 0


def _store(connection: sqlite3.Connection, projection: Projection, pos: int) -> None:
    connection.execute(
        "INSERT INTO projection(name, code_version, pos) VALUES (?, ?, ?) "
        "ON CONFLICT(name) DO UPDATE SET code_version = excluded.code_version, pos = excluded.pos",
        (projection.name, projection.version, pos),
    )


def _remove(path: str) -> None:
    for name in (path, f"{path}-journal"):
        if os.path.lexists(name):
            os.unlink(name)
