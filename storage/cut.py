"""Takes records out of a journal that were archived, and the rest of what was made from them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from events.journal import JournalArchived
from rig.kernel.errors import RigError
from storage.archive import Cut
from storage.projections import runner
from storage.projections.base import Projection
from storage.streams import versions_before


def refuse_others(connection: sqlite3.Connection, projections: Sequence[Projection]) -> None:
    """Raise `RigError` ``conflict`` where there are tables that this version of rig cannot make anew."""
    ours = {projection.name: projection.version for projection in projections}
    for name, state in runner.states(connection).items():
        if ours.get(name, -1) < state.version:
            raise RigError(
                "conflict",
                f"The tables of `{name}` are kept by a newer rig, and would go on telling of what was taken out.",
                "Archive with the newest rig that uses this journal.",
            )


def take_out(connection: sqlite3.Connection, cut: Cut, projections: Sequence[Projection]) -> JournalArchived:
    """Inside a transaction that writes; gives what is to be recorded in the same one. Raises `RigError`."""
    earlier = connection.execute("SELECT first, last, sha256 FROM segment ORDER BY first").fetchall()
    segment = (cut.first, cut.end - 1, cut.frontier, cut.note, cut.file, cut.sha256)
    connection.execute("INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?)", segment)
    moved = connection.execute(
        "UPDATE head SET min_pos = ? WHERE min_pos = ? AND size >= ?", (cut.end, cut.first, cut.end)
    )
    if not moved.rowcount:
        raise RigError("conflict", "Somebody else has archived meanwhile.", "Look: `rig journal info`.")
    versions = versions_before(connection, cut.end)
    sent = "SELECT substr(stream, 9) FROM event WHERE pos < ? AND stream LIKE 'command:%'"
    connection.execute(f"DELETE FROM outbox WHERE idem IN ({sent})", (cut.end,))  # noqa: S608 - a constant
    connection.execute("DELETE FROM event WHERE pos < ?", (cut.end,))
    connection.execute("DELETE FROM checkpoint WHERE size <= ?", (cut.end,))
    connection.execute("DELETE FROM heartbeat WHERE size <= ?", (cut.end,))
    # They come to what the records come to that are left.
    for projection in projections:
        runner.drop(connection, projection)
    return cut.fact(earlier, versions)
