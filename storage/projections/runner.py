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
from storage.database import connect, damaged, transaction
from storage.migrate import statements
from storage.projections.base import Projection
from storage.projections.folding import PAGE, apply_all, fold_range, make_tables


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
            fold_range(connection, connection, "event", projection, state.pos, size)
        apply_all(connection, projection, new)
        store(connection, projection, size + len(new))


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


def _rebuild(connection: sqlite3.Connection, path: str, projection: Projection, *, again: bool = False) -> None:
    """Make the tables anew, unless somebody did so meanwhile; ``again``: in any case."""
    from storage.files import lock

    # A fixed name under a lock: nobody does the same work twice, and what a killed process left behind is removed.
    shadow_path = f"{path}.shadow"
    with lock(f"{path}.shadow.lock"):
        state = states(connection).get(projection.name)
        if state is not None and state.version >= projection.version and not again:
            return
        first, size = _span(connection)
        folded = first
        if size - first > PAGE:
            folded = _fill_shadow(connection, shadow_path, projection)
            connection.execute("ATTACH DATABASE ? AS shadow", (shadow_path,))
        try:
            with transaction(connection):
                _take_over(connection, projection, copy=folded > first)
                first, size = _span(connection)
                fold_range(connection, connection, "event", projection, max(folded, first), size)
                store(connection, projection, size)
        finally:
            if folded > first:
                connection.execute("DETACH DATABASE shadow")
            _remove(shadow_path)


def _take_over(connection: sqlite3.Connection, projection: Projection, *, copy: bool) -> None:
    """Put the tables of the shadow, or empty ones, in the place of those that are there."""
    drop(connection, projection)
    making = list(statements(projection.ddl))
    for statement in filter(_makes_table, making):
        connection.execute(statement)
    if copy:
        for table in projection.tables:
            connection.execute(f'INSERT INTO main."{table}" SELECT * FROM shadow."{table}"')  # noqa: S608 - constants
    # An index that is made over all rows at once is a matter of sorting.
    for statement in making:
        if not _makes_table(statement):
            connection.execute(statement)


def _makes_table(statement: str) -> bool:
    return statement.lstrip().upper().startswith("CREATE TABLE")


def drop(connection: sqlite3.Connection, projection: Projection) -> None:
    """Remove the tables of a projection, and the note that they are there."""
    for table in projection.tables:
        connection.execute(f'DROP TABLE IF EXISTS main."{table}"')
    connection.execute("DELETE FROM projection WHERE name = ?", (projection.name,))


def rebuild(connection: sqlite3.Connection, path: str, projections: Sequence[Projection]) -> None:
    """Make the tables of these projections anew, whatever they are now."""
    for projection in projections:
        _rebuild(connection, path, projection, again=True)


def _fill_shadow(connection: sqlite3.Connection, shadow_path: str, projection: Projection) -> int:
    """Fold what is there now into a database of its own; gives the number of records."""
    _remove(shadow_path)
    first, size = _span(connection)
    shadow = connect(shadow_path)
    try:
        shadow.execute("PRAGMA synchronous=OFF")
        shadow.execute("BEGIN")
        make_tables(shadow, projection)
        fold_range(shadow, connection, "event", projection, first, size)
        shadow.execute("COMMIT")
    finally:
        shadow.close()
    return size


def _span(connection: sqlite3.Connection) -> tuple[int, int]:
    """The first record that is there, and the number behind the last one."""
    found = connection.execute("SELECT min_pos, size FROM head").fetchone()
    if found is not None and not all(isinstance(value, int) for value in found):
        raise damaged("the head holds no numbers")
    return found or (0, 0)


def _size(connection: sqlite3.Connection) -> int:
    return _span(connection)[1]


def store(connection: sqlite3.Connection, projection: Projection, pos: int) -> None:
    connection.execute(
        "INSERT INTO projection(name, code_version, pos) VALUES (?, ?, ?) "
        "ON CONFLICT(name) DO UPDATE SET code_version = excluded.code_version, pos = excluded.pos",
        (projection.name, projection.version, pos),
    )


def _remove(path: str) -> None:
    for name in (path, f"{path}-journal"):
        if os.path.lexists(name):
            os.unlink(name)
