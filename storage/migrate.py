"""Brings a journal file to the schema of this version: forward only, ``migrations/NNNN_name.sql`` in order.

All steps run in one transaction together with the new ``user_version``, so a migration that is cut off has not begun.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator

from storage.database import transaction
from storage.schema import APPLICATION_ID, check

_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")


def folder() -> str:
    """Where the SQL is: inside the package when it was installed, at the top of a checkout."""
    here = os.path.dirname(os.path.abspath(__file__))
    packaged = os.path.join(here, "migrations")
    return packaged if os.path.isdir(packaged) else os.path.join(os.path.dirname(here), "migrations")


def scripts(directory: str) -> list[tuple[int, str]]:
    """(version, path), in order. Raises `ValueError` where a number is missing or given twice."""
    found = sorted(
        (int(match[1]), os.path.join(directory, name)) for name in os.listdir(directory) if (match := _NAME.match(name))
    )
    if [version for version, _ in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the migrations in {directory} are not numbered without gaps from 0001")
    return found


def statements(sql: str) -> Iterator[str]:
    """The single statements of a script. (`executescript` would commit before the first one.)"""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        raise ValueError(f"the script ends in the middle of a statement: {pending.strip()[:60]!r}")


def migrate(
    connection: sqlite3.Connection, path: str, directory: str | None = None, *, until: int | None = None
) -> None:
    """Run what is missing, up to the version ``until`` where it is given.

    Raises `RigError` for a file that is none of ours or newer than this version of rig.
    """
    with transaction(connection):
        # Asked again under the lock: another process may have done it meanwhile.
        version = check(connection, path)
        for number, script in scripts(directory or folder())[version:until]:
            with open(script, encoding="utf-8") as file:
                for statement in statements(file.read()):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number:d}")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID:d}")
