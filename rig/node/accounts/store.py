"""credentials.sqlite: people, invitations and hashes of tokens. The one file of the node that a login depends on.

It is apart from the journal because it forgets: the journal keeps what happened, this keeps what is valid now.
Times are nanoseconds since the epoch. Secrets stand in it as hashes alone.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.kernel.errors import RigError
from rig.node.database import open_private
from storage.database import transaction

_SCHEMAS = (
    """
    CREATE TABLE person(
        name TEXT PRIMARY KEY, owner INTEGER NOT NULL DEFAULT 0, passphrase TEXT NOT NULL DEFAULT '',
        created_at INTEGER NOT NULL) STRICT;
    CREATE TABLE role(
        name TEXT NOT NULL REFERENCES person(name), network TEXT NOT NULL, role TEXT NOT NULL,
        PRIMARY KEY(name, network)) STRICT;
    CREATE TABLE invitation(
        hash BLOB PRIMARY KEY, name TEXT NOT NULL, network TEXT NOT NULL, role TEXT NOT NULL,
        invited_by TEXT NOT NULL, expires_at INTEGER NOT NULL) STRICT;
    CREATE TABLE device(
        hash BLOB PRIMARY KEY, user_code BLOB NOT NULL UNIQUE, host TEXT NOT NULL, src TEXT NOT NULL,
        state TEXT NOT NULL, name TEXT NOT NULL DEFAULT '', interval INTEGER NOT NULL, polled_at INTEGER NOT NULL,
        created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT;
    CREATE TABLE session(
        id TEXT PRIMARY KEY, name TEXT NOT NULL REFERENCES person(name), host TEXT NOT NULL,
        created_at INTEGER NOT NULL, revoked_at INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE INDEX session_name ON session(name);
    CREATE TABLE access_token(
        hash BLOB PRIMARY KEY, session TEXT NOT NULL REFERENCES session(id), refresh BLOB NOT NULL,
        used INTEGER NOT NULL DEFAULT 0, expires_at INTEGER NOT NULL) STRICT;
    CREATE INDEX access_token_refresh ON access_token(refresh);
    CREATE TABLE refresh_token(
        hash BLOB PRIMARY KEY, session TEXT NOT NULL REFERENCES session(id), parent BLOB,
        state TEXT NOT NULL, spent_at INTEGER NOT NULL DEFAULT 0, expires_at INTEGER NOT NULL) STRICT;
    CREATE INDEX refresh_token_parent ON refresh_token(parent);
    CREATE TABLE throttle(
        key TEXT PRIMARY KEY, failures INTEGER NOT NULL, last_at INTEGER NOT NULL, until INTEGER NOT NULL) STRICT;
    """,
    """
    CREATE TABLE service_token(
        name TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, network TEXT NOT NULL, role TEXT NOT NULL,
        created_by TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        used_at INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE INDEX service_token_network ON service_token(network);
    """,
)


class Store:
    """One connection, used by one thread at a time.

    Every statement here takes well under a millisecond, so a lock is simpler than a pool; what is slow (scrypt) is
    done outside of it.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._inside = False
        """Whether a transaction is open, which belongs to the thread that has the lock."""
        self._db = open_private(path)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA foreign_keys=ON")
        self._migrate(path)

    def _migrate(self, path: Path) -> None:
        with self.transaction() as db:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version > len(_SCHEMAS):
                raise RigError(
                    "bad_config",
                    f"{path} was written by a newer rig (schema {version}; this one knows {len(_SCHEMAS)}).",
                    "Start the node with the rig that wrote it, or a newer one.",
                )
            for number, script in enumerate(_SCHEMAS[version:], start=version + 1):
                for statement in filter(str.strip, script.split(";")):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={number}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One write transaction, undone by any exception. A nested one joins the one around it."""
        with self._lock:
            if self._inside:
                yield self._db
                return
            self._inside = True
            try:
                with transaction(self._db):
                    yield self._db
            finally:
                self._inside = False

    def row(self, sql: str, *parameters: object) -> sqlite3.Row | None:
        with self._lock:
            found: sqlite3.Row | None = self._db.execute(sql, parameters).fetchone()
            return found

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    def close(self) -> None:
        with self._lock:
            self._db.close()
