"""Keeps projections in step with the records, whichever version of rig wrote them.

A row of ``projection`` says which code version made the tables and how many records they hold. A process folds new
records in only where its own version made the tables; otherwise they lag, and whoever has the right version catches
up. A newer version makes the tables anew in a shadow database beside the journal, while others read and write, and
then takes them over in one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from rig.kernel.failpoints import failpoint
from rig.kernel.ports import Recorded
from storage.database import damaged, transaction
from storage.migrate import statements
from storage.projections.base import Projection
from storage.projections.folding import PAGE, apply_all, fold_picked, fold_range


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
    ours = [each for each in projections if each.name in known and known[each.name].version == each.version]
    for projection in ours:
        if known[projection.name].pos < size:
            fold_range(connection, connection, "event", [projection], known[projection.name].pos, size)
    apply_all(connection, ours, new)
    moved = [(size + len(new), each.name) for each in ours if known[each.name].pos != size + len(new)]
    connection.executemany("UPDATE projection SET pos = ? WHERE name = ?", moved)


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
    if _outdated(connection, projections):
        _rebuild(connection, path, projections)
    with transaction(connection):
        fold(connection, projections, _size(connection), ())


def _outdated(connection: sqlite3.Connection, projections: Sequence[Projection]) -> list[Projection]:
    """Those that were never made here, or by an older version."""
    known = states(connection)
    return [
        projection
        for projection in projections
        if (state := known.get(projection.name)) is None or state.version < projection.version
    ]


def _rebuild(
    connection: sqlite3.Connection, path: str, projections: Sequence[Projection], *, all: bool = False
) -> None:
    """Make the tables anew of those that are outdated, or of all, in one pass over the records."""
    from storage.files import lock
    from storage.projections import beside

    # Under a lock: nobody does the same work twice, and what a killed process left behind is removed.
    with lock(f"{path}.shadow.lock"):
        chosen = projections if all else _outdated(connection, projections)  # somebody may have done it meanwhile
        if not chosen:
            return
        first, size = span(connection)
        made, attached = beside.Beside(), []
        try:
            if size - first > PAGE:
                made = beside.fold_beside(connection, path, chosen, first, size)
            for number, (file, _) in enumerate(made.files):
                connection.execute(f"ATTACH DATABASE ? AS part{number:d}", (file,))
                attached.append(f"part{number:d}")
            failpoint("projection.folded")
            with _roomy(connection), transaction(connection):
                now, end = span(connection)
                if now != first:  # somebody has archived what was folded
                    made = beside.Beside()
                for projection in chosen:
                    parts = [name for name, (_, of) in zip(attached, made.files, strict=False) if projection in of]
                    _take_over(connection, projection, parts, made.again)
                fold_range(connection, connection, "event", chosen, size if made.files else now, end)
                for projection in chosen:
                    store(connection, projection, end)
                failpoint("projection.taken")
        finally:
            for name in attached:
                connection.execute(f"DETACH DATABASE {name}")
            beside.remove(path)


@contextmanager
def _roomy(connection: sqlite3.Connection) -> Iterator[None]:
    """While tables are replaced: room for their pages, and what is dropped is not overwritten first."""
    pragmas = {"cache_size": -65_536, "secure_delete": 0}
    before = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas}
    try:
        for name, value in pragmas.items():
            connection.execute(f"PRAGMA {name}={value:d}")
        yield
    finally:
        for name, value in before.items():
            connection.execute(f"PRAGMA {name}={value:d}")


def _take_over(
    connection: sqlite3.Connection, projection: Projection, parts: Sequence[str], again: Sequence[int]
) -> None:
    """Put the tables of attached databases, or empty ones, in the place of those that are there."""
    drop(connection, projection)
    for statement in statements(projection.ddl):
        connection.execute(statement)
    for table in projection.tables:
        for part in parts:
            # Both have the same indexes: SQLite takes rows and keys as they are, in their order, and sorts nothing.
            connection.execute(f'INSERT INTO main."{table}" SELECT * FROM {part}."{table}"')  # noqa: S608 - constants
        if len(parts) > 1:
            crossing = msgspec.json.encode(again).decode()
            connection.execute(f'DELETE FROM "{table}" WHERE pos IN (SELECT value FROM json_each(?))', (crossing,))  # noqa: S608
    if len(parts) > 1:
        fold_picked(connection, [projection], again)


def drop(connection: sqlite3.Connection, projection: Projection) -> None:
    """Remove the tables of a projection, and the note that they are there."""
    for table in projection.tables:
        connection.execute(f'DROP TABLE IF EXISTS main."{table}"')
    connection.execute("DELETE FROM projection WHERE name = ?", (projection.name,))


def rebuild(connection: sqlite3.Connection, path: str, projections: Sequence[Projection]) -> None:
    """Make the tables of these projections anew, whatever they are now."""
    _rebuild(connection, path, projections, all=True)


def span(connection: sqlite3.Connection) -> tuple[int, int]:
    """The first record that is there, and the number behind the last one."""
    found = connection.execute("SELECT min_pos, size FROM head").fetchone()
    if found is not None and not all(isinstance(value, int) for value in found):
        raise damaged("the head holds no numbers")
    return found or (0, 0)


def _size(connection: sqlite3.Connection) -> int:
    return span(connection)[1]


def store(connection: sqlite3.Connection, projection: Projection, pos: int) -> None:
    connection.execute(
        "INSERT INTO projection(name, code_version, pos) VALUES (?, ?, ?) "
        "ON CONFLICT(name) DO UPDATE SET code_version = excluded.code_version, pos = excluded.pos",
        (projection.name, projection.version, pos),
    )
