"""The audit log: one row for every command and for every other fact, ready to be asked by who, what, when.

A command's intent and its end are one row. An intent without its end reads ``unknown``.
"""

from __future__ import annotations

import sqlite3

from events.command import CommandCompleted, CommandReceived
from rig.kernel.ports import Recorded


class AuditProjection:
    """Table ``audit``; ``action`` is a command's tag (``network.create``) or a fact's type (``network.created``)."""

    name = "audit"
    version = 1
    tables = ("audit",)
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
    context TEXT NOT NULL
) STRICT;
CREATE INDEX audit_stream ON audit(stream) WHERE outcome = 'unknown';
CREATE INDEX audit_at ON audit(at);
CREATE INDEX audit_actor ON audit(actor, pos);
CREATE INDEX audit_action ON audit(action, pos);
CREATE INDEX audit_target ON audit(target, pos);
CREATE INDEX audit_outcome ON audit(outcome, pos) WHERE outcome <> 'success';
"""

    def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
        fact = recorded.fact
        action, context, code, reason, ended_at = fact.type, "", "", "", None
        if isinstance(fact, CommandReceived | CommandCompleted):
            action, context = fact.command, fact.context
        if isinstance(fact, CommandCompleted):
            code, reason, ended_at = fact.code, fact.message, recorded.at
            # A retried intent has several beginnings; the end belongs to the last one.
            ended = connection.execute(
                "UPDATE audit SET ended_at = ?, outcome = ?, code = ?, reason = ? WHERE pos = "
                "(SELECT max(pos) FROM audit WHERE stream = ? AND outcome = 'unknown' AND action = ?)",
                (ended_at, recorded.outcome, code, reason, recorded.stream, action),
            )
            if ended.rowcount:
                return
        connection.execute(
            "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                recorded.pos, recorded.at, ended_at, recorded.id, recorded.stream, recorded.actor, action,
                recorded.target, recorded.outcome, code, reason, recorded.src, recorded.session, recorded.corr, context,
            ),
        )  # fmt: skip
