"""Which version each stream has, and whether it is the one that who appends has seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from events.journal import JournalArchived
from rig.kernel.errors import RigError
from storage.record import recorded

COMMANDS = "command:"
"""Streams that come to their end, and are not gone on with behind a cut."""


def versions_of(connection: sqlite3.Connection, streams: set[str]) -> dict[str, int]:
    """The version of each stream: how many records it has, the archived ones counted in."""
    query = "SELECT coalesce(max(ver), 0) FROM event WHERE stream = ?"
    found = {stream: connection.execute(query, (stream,)).fetchone()[0] for stream in streams}
    unknown = [stream for stream, version in found.items() if not version and not stream.startswith(COMMANDS)]
    if unknown and connection.execute("SELECT 1 FROM segment").fetchone():
        archived = _archived(connection)
        found.update((stream, archived.get(stream, 0)) for stream in unknown)
    return found


def versions_before(connection: sqlite3.Connection, end: int) -> dict[str, int]:
    """The versions that streams have at a cut, with what the cut before it has left of them."""
    query = "SELECT stream, max(ver) FROM event WHERE pos < ? AND stream NOT LIKE 'command:%' GROUP BY stream"
    return {**_archived(connection), **dict(connection.execute(query, (end,)).fetchall())}


def _archived(connection: sqlite3.Connection) -> dict[str, int]:
    """What the newest archive says of the versions of streams."""
    newest = "SELECT rec FROM event WHERE stream = 'journal:archive' ORDER BY ver DESC LIMIT 1"
    found = connection.execute(newest).fetchone()
    fact = recorded(found[0]).fact if found else None
    return fact.versions if isinstance(fact, JournalArchived) else {}


def check_expected(versions: Mapping[str, int], expect: Mapping[str, int]) -> None:
    """Raise `RigError` ``conflict`` where a stream has another version than was expected."""
    for stream, expected in expect.items():
        if versions[stream] != expected:
            raise RigError(
                "conflict",
                f"{stream} was changed by someone else: version {expected} was expected, it has {versions[stream]}.",
                "Look at it again and repeat the command.",
                stream=stream,
                expected=expected,
                found=versions[stream],
            )
