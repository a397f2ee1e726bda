"""Which version each stream has, and whether it is the one that who appends has seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from rig.kernel.errors import RigError


def versions_of(connection: sqlite3.Connection, streams: set[str]) -> dict[str, int]:
    """The version of each stream: how many records it has."""
    query = "SELECT coalesce(max(ver), 0) FROM event WHERE stream = ?"
    return {stream: connection.execute(query, (stream,)).fetchone()[0] for stream in streams}


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
