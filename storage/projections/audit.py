"""The audit log: one row for every command and for every other fact, ready to be asked by who, what, when, from where.

A command's intent and its end are one row. An intent without its end reads ``unknown``. ``lead`` says of which change a
row is a part: the position of the row that began it (see `storage.projections.leads`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

import msgspec

from rig.kernel.ports import Recorded
from storage.projections.audit_rows import (
    ACTION,
    CODE,
    COLUMNS,
    COMPLETED,
    CORR,
    ENDED_AT,
    ENV,
    LEAD,
    OUTCOME,
    REASON,
    TARGET,
    Row,
    Shown,
    row_of,
    shown,
    shown_of,
)
from storage.projections.leads import Leads

Command = tuple[str, str]
"""Stream and action."""


class AuditProjection:
    """Table ``audit``; ``action`` is a command's tag (``network.create``) or a fact's type (``network.created``).

    ``version`` is the release that a fact tells of, 0 for none. ``key`` is the idempotency key: in a platform's record
    the id of the client's command. ``process`` carries a command out, on a client.

    Each index ends in ``at``: the newest rows of any one actor, target … are found without sorting. ``handlers`` name
    the indexes where they know better than SQLite which one is the shortest way.
    """

    name = "audit"
    version = 7
    tables = ("audit",)
    divisible = True
    sought_by = ("audit_stream", "audit_corr", "audit_env")
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
CREATE INDEX audit_privileged ON audit(at) WHERE privileged = 1;
CREATE INDEX audit_changes ON audit(at) WHERE lead = pos;
CREATE INDEX audit_effects ON audit(lead) WHERE lead <> pos;
"""

    def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
        self.apply_all(connection, (recorded,))

    def apply_all(self, connection: sqlite3.Connection, records: Sequence[Recorded]) -> None:
        """Fold several records: an intent and its end that come together are one row from the start."""
        _fold(connection, list(map(shown, records)))

    def apply_written(self, connection: sqlite3.Connection, written: str, count: int) -> None:
        """Fold records as they were written, one on a line."""
        _fold(connection, shown_of(written, count))


OPEN = (
    "SELECT pos FROM audit INDEXED BY audit_stream WHERE outcome = 'unknown' AND stream = ? AND action = ? ORDER BY pos"
)
"""The rows that have no end yet."""
END_AT = (
    "UPDATE audit SET ended_at = ?, outcome = ?, code = ?, reason = ?, target = iif(target = '', ?, target)"
    " WHERE pos = ?"
)
ANY_ENV = "SELECT 1 FROM audit INDEXED BY audit_env WHERE env <> '' LIMIT 1"
ENVS = (
    "SELECT corr, env FROM audit INDEXED BY audit_corr"
    " WHERE env <> '' AND corr <> '' AND corr IN (SELECT value FROM json_each(?)) ORDER BY pos DESC"
)
OFTEN_EMPTY = {
    **dict.fromkeys(("code", "reason", "src", "session", "corr", "context", "env", "key", "process"), "''"),
    **dict.fromkeys(("privileged", "version"), "0"),
}
"""Columns that have no value in most rows, and what stands in them then."""


def _fold(connection: sqlite3.Connection, records: Sequence[Shown]) -> None:
    rows: dict[int, Row] = {}
    unknown: dict[Command, list[int]] = {}
    leads = Leads(connection)
    for one in records:
        if one.type == COMPLETED:
            key = one.stream, one.body.command
            begun = unknown.get(key)
            if not begun and one.ver > 1:
                begun = unknown[key] = [pos for (pos,) in connection.execute(OPEN, key)]
            # A retried intent has several beginnings; the end belongs to the last one.
            if begun:
                pos = begun[-1] if one.outcome == "unknown" else begun.pop()
                leads.end(pos)
                ended = int(one.at), one.outcome, one.body.code, one.body.message
                if row := rows.get(pos):
                    row[ENDED_AT], row[OUTCOME], row[CODE], row[REASON] = ended
                    row[TARGET] = row[TARGET] or one.target  # a command may learn what it is about on its way
                else:
                    connection.execute(END_AT, (*ended, one.target, pos))
                continue
        row = rows[one.pos] = row_of(one)
        row[LEAD] = leads.of(one)
        if one.outcome == "unknown":
            unknown.setdefault((one.stream, row[ACTION]), []).append(one.pos)
    _name_environments(connection, rows.values())
    _insert(connection, rows.values())


def _insert(connection: sqlite3.Connection, rows: Collection[Row]) -> None:
    """What is empty in all the rows stands in the statement: to hand over values takes longer than to store them."""
    marks, bound = [], []
    for name, values in zip(COLUMNS, zip(*rows, strict=True), strict=False):
        if name in OFTEN_EMPTY and not any(values):
            marks.append(OFTEN_EMPTY[name])
        else:
            marks.append("?")
            bound.append(values)
    if bound:
        connection.executemany(f"INSERT INTO audit VALUES ({', '.join(marks)})", zip(*bound, strict=True))  # noqa: S608


def _name_environments(connection: sqlite3.Connection, rows: Collection[Row]) -> None:
    """What follows from a command was done for the environment that the command named."""
    if connection.execute(ANY_ENV).fetchone() is None and not any(row[ENV] for row in rows):
        return
    correlations = msgspec.json.encode(list({row[CORR] for row in rows if row[CORR]})).decode()
    known: dict[str, str] = dict(connection.execute(ENVS, (correlations,)))
    for row in rows:
        if row[ENV]:
            known.setdefault(row[CORR], row[ENV])
        elif row[CORR]:
            row[ENV] = known.get(row[CORR], "")
