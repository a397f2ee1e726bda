"""Every change of what is set on the platform: who set which key of a network or an app, when, from what to what."""

from __future__ import annotations

import sqlite3

from events.app import AppDeleted, AppLimited, AppScaled, AppScaleReset
from events.base import Fact
from events.config import SecretsChanged, VarsChanged
from events.network import NetworkDeleted
from rig.kernel.changed import Values, values_of
from rig.kernel.ports import Recorded


class ChangesProjection:
    """Table ``changes``: one row for each key that a fact has changed, in the keys of `max.toml`.

    Unlike ``configuration``, which tells what the releases of an app were made with, it tells of the settings
    themselves: those of networks, and those that no release has taken yet. Of a secret it has digests.
    """

    name = "changes"
    version = 2
    types = (
        AppDeleted.type,
        AppLimited.type,
        AppScaled.type,
        AppScaleReset.type,
        NetworkDeleted.type,
        SecretsChanged.type,
        VarsChanged.type,
    )
    tables = ("changes",)
    ddl = """
CREATE TABLE changes(
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    pos INTEGER NOT NULL,
    before TEXT,
    after TEXT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (scope, key, pos)
) STRICT, WITHOUT ROWID;
CREATE INDEX changes_pos ON changes(scope, pos);
"""

    def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
        scope = scope_of(recorded.fact)
        if isinstance(recorded.fact, AppDeleted | NetworkDeleted):
            new: Values = dict.fromkeys(_keys(connection, scope))
        else:
            new = values_of(recorded.fact)
        rows = []
        for key, after in new.items():
            before = _now(connection, scope, key)
            if before != after:
                rows.append((scope, key, recorded.pos, before, after, recorded.at, recorded.actor))
        connection.executemany("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def scope_of(fact: Fact) -> str:
    """The network, or the app as ``network/app``, that a fact is about."""
    return str(getattr(fact, "scope", "") or getattr(fact, "name", ""))


def _now(connection: sqlite3.Connection, scope: str, key: str) -> str | None:
    sql = "SELECT after FROM changes WHERE scope = ? AND key = ? ORDER BY pos DESC LIMIT 1"
    row = connection.execute(sql, (scope, key)).fetchone()
    return row[0] if row else None


def _keys(connection: sqlite3.Connection, scope: str) -> list[str]:
    return [key for (key,) in connection.execute("SELECT DISTINCT key FROM changes WHERE scope = ?", (scope,))]
