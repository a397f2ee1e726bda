"""The releases of every app, one row each: what history and rollback ask for."""

from __future__ import annotations

import sqlite3

from events.app import DeployBuilt, DeployFailed, DeployStarted, DeploySucceeded
from rig.kernel.ports import Recorded


class ReleasesProjection:
    """Table ``releases``. ``outcome`` is ``pending``, ``succeeded`` or ``failed``; the newest that succeeded serves."""

    name = "releases"
    version = 1
    types = (DeployStarted.type, DeployBuilt.type, DeploySucceeded.type, DeployFailed.type)
    tables = ("releases",)
    ddl = """
CREATE TABLE releases(
    app TEXT NOT NULL,
    version INTEGER NOT NULL,
    pos INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    finished_at INTEGER,
    bundle TEXT NOT NULL,
    build TEXT NOT NULL,
    message TEXT NOT NULL,
    previous INTEGER NOT NULL,
    rollback_of INTEGER NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (app, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX releases_pos ON releases(pos);
CREATE INDEX releases_bundle ON releases(bundle);
"""

    def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
        match recorded.fact:
            case DeployStarted() as fact:
                connection.execute(
                    "INSERT INTO releases VALUES (?, ?, ?, 'pending', ?, ?, NULL, ?, '', ?, ?, ?, '')",
                    (
                        fact.app, fact.version, recorded.pos, recorded.at, recorded.actor,
                        fact.bundle, fact.message, fact.previous, fact.rollback_of,
                    ),
                )  # fmt: skip
            case DeployBuilt() as fact:
                _update(connection, "build = ?", (fact.build,), fact)
            case DeploySucceeded() as fact:
                _update(connection, "outcome = 'succeeded', finished_at = ?", (recorded.at,), fact)
            case DeployFailed() as fact:
                _update(connection, "outcome = 'failed', finished_at = ?, code = ?", (recorded.at, fact.code), fact)


def _update(
    connection: sqlite3.Connection,
    changes: str,
    values: tuple[str | int, ...],
    fact: DeployBuilt | DeploySucceeded | DeployFailed,
) -> None:
    sql = f"UPDATE releases SET {changes} WHERE app = ? AND version = ?"  # noqa: S608 - `changes` is a constant
    connection.execute(sql, (*values, fact.app, fact.version))
