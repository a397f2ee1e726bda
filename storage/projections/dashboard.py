"""How the deployments of every app go: what serves, what failed, how long a commit takes to be live, how long a failure
lasts.

The terms are those of DORA (dora.dev, "software delivery performance metrics"), as the record can tell them:

- *lead time*: from the commit to the release that first served it. Known where the source was a clean commit.
- a *failure* is a deployment that failed, or a release that was rolled back; the second kind began when it went live.
- *restored*: when the next release went live.
"""

from __future__ import annotations

import sqlite3

from events.app import AppDeleted, AppScaled, AppStarted, AppStopped, DeployFailed, DeployStarted, DeploySucceeded
from events.base import Fact
from events.config import SecretsChanged, VarsChanged
from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded
from rig.kernel.times import instant

CHANGES = (AppScaled, AppStarted, AppStopped, DeployFailed, DeployStarted, DeploySucceeded, SecretsChanged, VarsChanged)
"""Facts that change an app, and whose last one is shown."""


class DashboardProjection:
    """Table ``dashboard`` has a row for each app that is there, ``dashboard_deployments`` one for each deployment.

    Times are nanoseconds since the epoch; NULL is what has not happened or is not known. ``outcome`` is ``pending``,
    ``succeeded`` or ``failed``; a release that was rolled back has succeeded, and has a ``failed_at`` all the same.
    """

    name = "dashboard"
    version = 1
    types = (AppDeleted.type, *(fact.type for fact in CHANGES))
    tables = ("dashboard", "dashboard_deployments")
    ddl = """
CREATE TABLE dashboard(
    app TEXT PRIMARY KEY,
    current INTEGER NOT NULL,
    change TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE dashboard_deployments(
    app TEXT NOT NULL,
    version INTEGER NOT NULL,
    actor TEXT NOT NULL,
    outcome TEXT NOT NULL,
    previous INTEGER NOT NULL,
    rollback INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,
    ended_at INTEGER,
    committed_at INTEGER,
    failed_at INTEGER,
    restored_at INTEGER,
    PRIMARY KEY (app, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX dashboard_deployments_failed ON dashboard_deployments(app) WHERE failed_at > 0 AND restored_at IS NULL;
"""

    def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
        fact = recorded.fact
        match fact:
            case AppDeleted():
                connection.execute("DELETE FROM dashboard WHERE app = ?", (fact.name,))
                return
            case DeployStarted():
                connection.execute(
                    "INSERT INTO dashboard_deployments VALUES (?, ?, ?, 'pending', ?, ?, ?, NULL, ?, NULL, NULL)",
                    (
                        fact.app, fact.version, recorded.actor, fact.previous, fact.rollback_of > 0, recorded.at,
                        committed_at(fact),
                    ),
                )  # fmt: skip
            case DeploySucceeded():
                _went_live(connection, fact, recorded.at)
            case DeployFailed():
                connection.execute(
                    "UPDATE dashboard_deployments SET outcome = 'failed', ended_at = :at, failed_at = :at"
                    " WHERE app = :app AND version = :version",
                    {"at": recorded.at, "app": fact.app, "version": fact.version},
                )
        app = app_of(fact)
        if app:
            live = fact.version if isinstance(fact, DeploySucceeded) else None
            connection.execute(
                "INSERT INTO dashboard VALUES (:app, coalesce(:live, 0), :change, :at, :actor)"
                " ON CONFLICT DO UPDATE SET"
                " current = coalesce(:live, current), change = :change, changed_at = :at, changed_by = :actor",
                {"app": app, "live": live, "change": fact.type, "at": recorded.at, "actor": recorded.actor},
            )


def _went_live(connection: sqlite3.Connection, fact: DeploySucceeded, at: int) -> None:
    ours = {"app": fact.app, "version": fact.version, "at": at}
    connection.execute(
        "UPDATE dashboard_deployments SET outcome = 'succeeded', ended_at = :at"
        " WHERE app = :app AND version = :version",
        ours,
    )
    # What a rollback replaced was a failure from the moment on when it went live.
    connection.execute(
        "UPDATE dashboard_deployments SET failed_at = ended_at WHERE failed_at IS NULL AND app = :app AND version ="
        " (SELECT previous FROM dashboard_deployments WHERE app = :app AND version = :version AND rollback = 1)",
        ours,
    )
    connection.execute(
        "UPDATE dashboard_deployments SET restored_at = :at WHERE app = :app AND failed_at > 0 AND restored_at IS NULL",
        ours,
    )


def app_of(fact: Fact) -> str:
    """The app that a fact changes; empty for a network's own settings."""
    name = str(getattr(fact, "app", "") or getattr(fact, "scope", "") or getattr(fact, "name", ""))
    return name if "/" in name else ""


def committed_at(fact: DeployStarted) -> int | None:
    """When the source was committed; None for a rollback, for a source that differs from its commit, or unknown."""
    text = fact.source.get("committed_at")
    if fact.rollback_of or fact.source.get("dirty") or not isinstance(text, str) or not text:
        return None
    try:
        return instant(text, 0, "committed_at")
    except RigError:
        return None
