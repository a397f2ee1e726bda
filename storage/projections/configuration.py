"""The configuration of every app, as it changed: who set which key to what, when, with which release."""

from __future__ import annotations

import sqlite3

import msgspec

from events.app import (
    AppDeleted,
    AppScaled,
    AppScaleReset,
    DeployFailed,
    DeployStarted,
    DeploySucceeded,
    settings_of,
)
from rig.kernel.ports import Recorded


class ConfigurationProjection:
    """Table ``configuration``: one row for each change. ``value`` is NULL where the key was taken away.

    A release changes something when it begins to serve; whoever began it is the one who did. What releases that are
    not over would change waits in ``configuration_pending``.
    """

    name = "configuration"
    version = 2
    types = (
        AppDeleted.type,
        AppScaled.type,
        AppScaleReset.type,
        DeployFailed.type,
        DeployStarted.type,
        DeploySucceeded.type,
    )
    tables = ("configuration", "configuration_pending")
    ddl = """
CREATE TABLE configuration(
    app TEXT NOT NULL,
    key TEXT NOT NULL,
    pos INTEGER NOT NULL,
    value TEXT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    release INTEGER NOT NULL,
    PRIMARY KEY (app, key, pos)
) STRICT, WITHOUT ROWID;
CREATE INDEX configuration_pos ON configuration(pos);
CREATE TABLE configuration_pending(
    app TEXT NOT NULL,
    release INTEGER NOT NULL,
    actor TEXT NOT NULL,
    settings TEXT NOT NULL,
    PRIMARY KEY (app, release)
) STRICT, WITHOUT ROWID;
"""

    def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
        match recorded.fact:
            case DeployStarted() as fact:
                settings = msgspec.json.encode({"source": fact.bundle, **settings_of(fact)}).decode()
                connection.execute(
                    "INSERT OR REPLACE INTO configuration_pending VALUES (?, ?, ?, ?)",
                    (fact.app, fact.version, recorded.actor, settings),
                )
            case DeploySucceeded() as fact:
                sql = "DELETE FROM configuration_pending WHERE app = ? AND release = ? RETURNING actor, settings"
                begun = connection.execute(sql, (fact.app, fact.version)).fetchone()
                if begun is not None:
                    new: dict[str, str] = msgspec.json.decode(begun[1])
                    kept = {key: value for key, value in _now(connection, fact.app).items() if key.startswith("scale.")}
                    _change(connection, recorded, fact.app, {**new, **kept}, begun[0], fact.version)
            case DeployFailed() as fact:
                connection.execute(
                    "DELETE FROM configuration_pending WHERE app = ? AND release = ?", (fact.app, fact.version)
                )
            case AppScaled() as fact:
                scale = {f"scale.{process}": str(count) for process, count in fact.scale.items()}
                _change(connection, recorded, fact.name, {**_now(connection, fact.name), **scale}, recorded.actor, 0)
            case AppScaleReset() as fact:
                gone = {f"scale.{process}" for process in fact.processes}
                kept = {key: value for key, value in _now(connection, fact.name).items() if key not in gone}
                _change(connection, recorded, fact.name, kept, recorded.actor, 0)
            case AppDeleted() as fact:
                connection.execute("DELETE FROM configuration_pending WHERE app = ?", (fact.name,))
                _change(connection, recorded, fact.name, {}, recorded.actor, 0)


def _now(connection: sqlite3.Connection, app: str) -> dict[str, str]:
    """What an app is configured with. (SQLite takes a bare column from the row that has the maximum.)"""
    sql = "SELECT key, value, max(pos) FROM configuration WHERE app = ? GROUP BY key"
    return {key: value for key, value, _ in connection.execute(sql, (app,)) if value is not None}


def _change(
    connection: sqlite3.Connection, recorded: Recorded, app: str, wanted: dict[str, str], actor: str, release: int
) -> None:
    before = _now(connection, app)
    connection.executemany(
        "INSERT INTO configuration VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (app, key, recorded.pos, wanted.get(key), recorded.at, actor, release)
            for key in sorted({*before, *wanted})
            if before.get(key) != wanted.get(key)
        ],
    )
