"""Questions in SQL to a journal or a replica: read-only, and to the tables that hold nothing but the record."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from rig.kernel.errors import RigError

TABLES = frozenset(
    {"audit", "releases", "configuration", "event", "head", "checkpoint", "sqlite_schema", "sqlite_master"}
)
MAX_ROWS = 10_000
STEPS = 10_000
"""Instructions of SQLite between two looks at how long it takes."""
SECONDS = 30
HINT = "It may be a SELECT from audit, configuration and releases."
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_SAVEPOINT}
"""sqlite-utils asks within a savepoint."""


def ask(path: str, sql: str) -> list[dict[str, Any]]:
    """The rows that answer ``sql``. Raises `RigError` ``usage`` where it is no question, or none to these tables."""
    import time

    from sqlite_utils import Database

    end = time.monotonic() + SECONDS
    # mode=ro: the file cannot be written whatever the statement is; the rest says no in better words.
    with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as connection:
        database = Database(connection)
        connection.set_authorizer(_authorize)
        connection.set_progress_handler(lambda: int(time.monotonic() > end), STEPS)
        rows: list[dict[str, Any]] = []
        try:
            for row in database.query(sql):
                rows.append({name: _plain(value) for name, value in row.items()})
                if len(rows) > MAX_ROWS:
                    raise RigError("too_large", f"The answer has more than {MAX_ROWS} rows.", "Add a LIMIT, or count.")
        except ValueError as error:  # whatever gives no rows; the library's own words are for programmers
            raise RigError("usage", "--sql: it asks for no rows.", HINT) from error
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise RigError("usage", f"--sql: {str(error).rstrip('.')}.", HINT) from error
    return rows


def _authorize(action: int, first: str | None, second: str | None, database: str | None, source: str | None) -> int:
    if action in _ALLOWED:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_READ and (first in TABLES or database != "main"):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
