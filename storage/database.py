"""The database file: how it is opened, and what its failures mean.

Journal mode TRUNCATE and ``synchronous=FULL``: a transaction that was committed survives a loss of power, and no
checkpoint of a write-ahead log can go wrong (sqlite.org/wal.html, "the WAL-reset bug": fixed in 3.51.3, 3.50.7 and
3.44.6 only). The mode belongs to each connection, so every one of them sets it.
"""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rig.kernel.errors import RigError

STEP = 0.2
"""Seconds that SQLite itself waits for another process."""


class PatientConnection(sqlite3.Connection):
    """Waits for other processes in short steps: SQLite's own waiting is deaf to Ctrl-C.

    A statement that was refused as busy has done nothing, and a COMMIT has left its transaction open: each may be
    repeated.
    """

    patience = 0.0
    """Seconds that each statement waits in all."""

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        began = time.monotonic()
        while True:
            try:
                return super().execute(sql, parameters)
            except sqlite3.OperationalError as error:
                late = time.monotonic() - began >= self.patience
                if late or not error.sqlite_errorname.startswith("SQLITE_BUSY"):
                    raise


def connect(path: str, *, read_only: bool = False, timeout: float = 10.0) -> PatientConnection:
    """Open the file. ``timeout`` is how long, in seconds, to wait for other processes. Raises `sqlite3.Error`."""
    connection = sqlite3.connect(
        path, timeout=min(STEP, timeout), isolation_level=None, check_same_thread=False, factory=PatientConnection
    )
    connection.patience = timeout
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        mode = connection.execute("PRAGMA journal_mode=TRUNCATE").fetchone()[0]
        if mode == "wal":
            raise sqlite3.OperationalError("another program has put it into WAL mode and holds it open")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Take the write lock at once, commit at the end, roll back on any error."""
    # IMMEDIATE: what is read must still be true when it is written. A deferred transaction that reads first and
    # writes later fails without waiting when somebody else was faster.
    if connection.in_transaction:  # Ctrl-C may have struck between BEGIN and the block
        connection.execute("ROLLBACK")
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled it back already; a COMMIT that found readers has not.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def unavailable(path: str, error: Exception) -> RigError:
    """The error that a user sees when the journal cannot be opened or written."""
    name = getattr(error, "sqlite_errorname", "")
    reason, hint = str(error), f"Look at {path}: `rig journal info` and `rig journal verify` tell more."
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        reason, hint = "another process holds it", "Try again; `fuser` on the file names the process."
    elif is_read_only(error):
        reason = "it cannot be written: the file, its folder or the file system is read-only"
        hint = f"Make {path} and its folder writable, or set RIG_HOME to a folder that is."
    elif isinstance(error, OSError):
        reason, hint = error.strerror or reason, f"Look at the folder of {path}, or set RIG_HOME to another one."
    elif name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        reason = f"the disk did not take it ({error}): it is full, failing, or a limit on file sizes was reached"
        hint = "Make room on the disk, then run the command again; nothing was recorded."
    elif is_damage(error):
        reason = f"it is damaged ({error})"
        hint = "Run `rig journal verify` to see how far it can be trusted, and restore it from a backup."
    return RigError("journal_unavailable", f"The journal {path} is not available: {reason}.", hint)


def is_read_only(error: BaseException) -> bool:
    """Whether the file, its folder or the file system cannot be written."""
    if isinstance(error, OSError):
        return error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"))


def is_damage(error: BaseException) -> bool:
    """Whether the file is no whole SQLite database."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def is_misfit(error: BaseException) -> bool:
    """Whether the tables are not those that the file says it has: one is missing, or there already."""
    return getattr(error, "sqlite_errorname", "") == "SQLITE_ERROR"


def damaged(reason: str) -> sqlite3.DatabaseError:
    """The error that SQLite raises for a damaged file, for damage that it does not notice itself."""
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorname = "SQLITE_CORRUPT"
    return error
