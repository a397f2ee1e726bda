"""Which schema this version of rig writes, and whether a file has it."""

from __future__ import annotations

import sqlite3

from rig.kernel.errors import RigError

SCHEMA_VERSION = 3
"""The number of the last file in ``migrations/``."""
APPLICATION_ID = 0x5249474A
"""``RIGJ``, at byte 68 of the file."""


def check(connection: sqlite3.Connection, path: str) -> int:
    """The schema version of the file, 0 for a new one. Raises `RigError`."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID and (application or version or _has_tables(connection)):
        raise RigError(
            "journal_unavailable",
            f"{path} is a database of another program.",
            "Move it away, or set RIG_HOME to another folder.",
            path=path,
            finding="SCHEMA_MISMATCH",
        )
    if version > SCHEMA_VERSION:
        raise RigError(
            "journal_unavailable",
            f"{path} was written by a newer rig (schema {version}; this one knows {SCHEMA_VERSION}).",
            "Upgrade rig: `uv tool upgrade rig`, or as you installed it.",
        )
    return version


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None
