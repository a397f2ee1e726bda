"""The audit log: one row for every command and for every other fact, ready to be asked by who, what, when, from where.

A command's intent and its end are one row. An intent without its end reads ``unknown``. ``lead`` says of which change a
row is a part: the position of the row that began it (see `storage.projections.leads`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from events.app import AppCrashed, AppRestartFailed, DeployBuilt, DeployFailed, DeployStarted, DeploySucceeded
from events.command import CommandCompleted, CommandReceived
from rig.kernel.ports import Recorded
from storage.projections.leads import Leads

PRIVILEGED = ("account.", "auth.", "journal.", "node.", "policy.", "role.", "secret.", "session.", "token.", "witness.")
"""Actions that begin so touch how rights are given, or need more than the right to deploy. So does every deletion."""


TELLING = (DeployStarted, DeployBuilt, DeploySucceeded, DeployFailed, AppCrashed, AppRestartFailed)
"""Facts that tell of a release, or of what went wrong."""


class AuditProjection:
    """Table ``audit``; ``action`` is a command's tag (``network.create``) or a fact's type (``network.created``).

    ``version`` is the release that a fact tells of, 0 for none. ``key`` is the idempotency key: in a platform's record
    the id of the client's command. ``process`` carries a command out, on a client.

    Each index ends in ``at``: the newest rows of any one actor, target … are found without sorting. ``handlers`` name
    the indexes where they know better than SQLite which one is the shortest way.
    """

    name = "audit"
    version = 3
    tables = ("audit",)
    sought_by = ("audit_stream", "audit_corr", "audit_env_corr")
    ddl = """
CREATE TABLE audit(
    pos INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    ended_at INTEGER,
    id TEXT NOT NULL,
    stream TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    outcome TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    src TEXT NOT NULL,
    session TEXT NOT NULL,
    corr TEXT NOT NULL,
    context TEXT NOT NULL,
    env TEXT NOT NULL,
    privileged INTEGER NOT NULL,
    version INTEGER NOT NULL,
    key TEXT NOT NULL,
    process TEXT NOT NULL,
    lead INTEGER
) STRICT;
CREATE INDEX audit_stream ON audit(stream) WHERE outcome = 'unknown';
CREATE INDEX audit_at ON audit(at);
CREATE INDEX audit_actor ON audit(actor, at);
CREATE INDEX audit_action ON audit(action, at);
CREATE INDEX audit_target ON audit(target, at);
CREATE INDEX audit_src ON audit(src, at);
CREATE INDEX audit_corr ON audit(corr, at) WHERE corr <> '';
CREATE INDEX audit_outcome ON audit(outcome, at) WHERE outcome <> 'success';
CREATE INDEX audit_session ON audit(session, at) WHERE session <> '';
CREATE INDEX audit_env ON audit(env, at) WHERE env <> '';
CREATE INDEX audit_env_corr ON audit(corr) WHERE env <> '';
CREATE INDEX audit_privileged ON audit(at) WHERE privileged = 1;
CREATE INDEX audit_changes ON audit(at) WHERE lead = pos;
CREATE INDEX audit_effects ON audit(lead) WHERE lead <> pos;
"""

    def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
        self.apply_all(connection, (recorded,))

    def apply_all(self, connection: sqlite3.Connection, records: Sequence[Recorded]) -> None:
        """Fold several records: an intent and its end that come together are one row from the start."""
        rows: dict[int, list[Any]] = {}
        unknown: dict[tuple[str, str], list[int]] = {}
        """Stream and action → the rows among these that have no end yet."""
        leads = Leads(connection)
        for recorded in records:
            row = _row(recorded)
            key = recorded.stream, row[_ACTION]
            if isinstance(recorded.fact, CommandCompleted):
                ended = row[_ENDED_AT], row[_OUTCOME], row[_CODE], row[_REASON]
                # A retried intent has several beginnings; the end belongs to the last one.
                leads.end(recorded)
                if begun := unknown.get(key):
                    pos = begun[-1] if row[_OUTCOME] == "unknown" else begun.pop()
                    rows[pos][_ENDED_AT], rows[pos][_OUTCOME], rows[pos][_CODE], rows[pos][_REASON] = ended
                    continue
                if connection.execute(END, (*ended, *key)).rowcount:
                    continue
            row[_LEAD] = leads.of(recorded)
            rows[recorded.pos] = row
            if row[_OUTCOME] == "unknown":
                unknown.setdefault(key, []).append(recorded.pos)
        connection.executemany(INSERT, rows.values())


_ENDED_AT, _ACTION, _OUTCOME, _CODE, _REASON, _LEAD = 2, 6, 8, 9, 10, -1
"""Where they stand in a row."""

END = (
    "UPDATE audit SET ended_at = ?, outcome = ?, code = ?, reason = ? WHERE pos = "
    "(SELECT max(pos) FROM audit WHERE stream = ? AND outcome = 'unknown' AND action = ?)"
)
INSERT = (
    # What follows from a command was done for the environment that the command named.
    "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
    " coalesce(nullif(?, ''), (SELECT env FROM audit WHERE corr = ? AND env <> '' LIMIT 1), ''), ?,"
    " ?, ?, ?, ?)"
)


def _row(recorded: Recorded) -> list[Any]:
    """The parameters of :data:`INSERT` for one record."""
    fact = recorded.fact
    action, context, env, code, reason, ended_at = fact.type, "", "", "", "", None
    version, process = 0, ""
    if isinstance(fact, CommandReceived):
        action, context, env, process = fact.command, fact.context, environment(fact), fact.process
    elif isinstance(fact, CommandCompleted):
        action, context, env = fact.command, fact.context, environment(fact)
        code, reason, ended_at = fact.code, fact.message, recorded.at
    elif isinstance(fact, TELLING):
        version = getattr(fact, "version", 0)
        code, reason = getattr(fact, "code", ""), getattr(fact, "reason", "")
    return [
        recorded.pos, recorded.at, ended_at, recorded.id, recorded.stream, recorded.actor, action,
        recorded.target, recorded.outcome, code, reason, recorded.src, recorded.session, recorded.corr, context,
        env, recorded.corr, privileged(action), version, recorded.idem, process, None,
    ]  # fmt: skip


def environment(fact: CommandReceived | CommandCompleted) -> str:
    """The environment of rig.toml that a command names."""
    env = fact.arguments.get("env", "")
    return env if isinstance(env, str) else ""


def privileged(action: str) -> bool:
    """Whether an action touches how rights are given, or takes something away for good."""
    return action.startswith(PRIVILEGED) or action.endswith((".delete", ".deleted"))
