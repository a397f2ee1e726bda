"""Databases of the node beside its journal, which hold what must be forgotten some day."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from storage.database import connect


def open_private(path: Path) -> sqlite3.Connection:
    """Open a database of mode 0600, as the journal is opened; it and its folder are made where they are missing.

    What is deleted from it is overwritten. Any thread may use the connection, one at a time. Raises `sqlite3.Error`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made by us before SQLite sees it: SQLite would follow the umask.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    os.chmod(path, 0o600)
    connection = connect(str(path))
    connection.execute("PRAGMA secure_delete = ON")
    return connection
