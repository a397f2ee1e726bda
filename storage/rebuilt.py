"""Whether the tables of a projection, before they were made anew, were what the records come to.

To fold the records a second time only to compare would take as long as the rebuild itself. Tables whose digest is the
same before and after were right. Only where it is not are the records folded once more, up to where the old tables
said that they were: what others appended meanwhile makes no difference.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import msgspec

from storage.database import connect
from storage.fold import digest
from storage.projections import runner
from storage.projections.base import Projection
from storage.projections.shadow import Shadow

OUT_OF_REACH = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_PERM")
"""What an error says that tells nothing about the tables."""


class Held(msgspec.Struct, frozen=True):
    """What the tables of a projection held at one moment."""

    digest: str
    """Empty where they could not be read: they are gone, or damaged."""
    first: int
    """The first record that was there."""
    pos: int
    """The number behind the last record that was folded into them, by their own account."""
    size: int
    """The number behind the last record."""


def held(path: str, projection: Projection, timeout: float) -> Held | None:
    """What the tables hold now; None where this version of rig did not make them. Raises `sqlite3.Error`."""
    with closing(connect(path, read_only=True, timeout=timeout)) as connection:
        connection.execute("BEGIN")  # all at one moment
        state = runner.states(connection).get(projection.name)
        if state is None or state.version != projection.version:
            return None
        first, size = runner.span(connection)
        try:
            found = digest(connection, projection).digest
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "").startswith(OUT_OF_REACH):
                raise
            found = ""
        return Held(found, first, state.pos, size)


def differs(path: str, projection: Projection, timeout: float, before: Held | None, after: str) -> bool:
    """Whether the tables were other ones than they should have been; ``after`` is the digest of those made anew.

    Nothing can be told of records that were archived meanwhile. Raises `sqlite3.Error`, or `RigError`.
    """
    if before is None:
        return False
    if not before.digest or not before.first <= before.pos <= before.size:
        return True
    if before.digest == after:
        return False
    with closing(Shadow(path, [projection], timeout, end=before.pos)) as shadow:
        return shadow.first == before.first and digest(shadow.connection, projection).digest != before.digest
