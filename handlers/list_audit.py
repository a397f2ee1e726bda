"""`rig audit`: who did what, from the local record."""

from __future__ import annotations

from typing import Any

from rig.contract.audit import AuditEntry, AuditLog, ListAudit
from rig.kernel.context import Context
from rig.kernel.ids import rfc3339
from rig.kernel.times import instant

_LAST = "\U0010ffff"
"""Behind every character: the end of a range of texts that begin alike."""


def handle(command: ListAudit, context: Context[Any]) -> AuditLog:
    """The newest entries that match, newest first. The record is the local one: what was done from here."""
    where, parameters = conditions(command, context.stamp.at)
    query = f"SELECT * FROM audit WHERE {where} ORDER BY pos DESC LIMIT ?"  # noqa: S608 - values are parameters
    entries = [_entry(row) for row in context.journal.rows(query, (*parameters, command.limit + 1))]
    return AuditLog(record="local", more=len(entries) > command.limit, entries=entries[: command.limit])


def conditions(command: ListAudit, now: int) -> tuple[str, tuple[Any, ...]]:
    """The WHERE clause for the filters, and its parameters. ``now`` is what ``2h`` counts back from."""
    clauses: list[str] = ["1"]
    parameters: list[Any] = []
    for column, value in (("actor", command.actor), ("action", command.action), ("target", command.target)):
        if value.endswith("*"):
            clauses.append(f"{column} >= ? AND {column} < ?")
            parameters += [value[:-1], value[:-1] + _LAST]
        elif value:
            clauses.append(f"{column} = ?")
            parameters.append(value)
    if command.outcome:
        clauses.append("outcome = ?")
        parameters.append(command.outcome)
    if command.since:
        clauses.append("at >= ?")
        parameters.append(instant(command.since, now, "--since"))
    if command.until:
        clauses.append("at < ?")
        parameters.append(instant(command.until, now, "--until"))
    return " AND ".join(clauses), tuple(parameters)


def _entry(row: dict[str, Any]) -> AuditEntry:
    return AuditEntry(
        pos=row["pos"],
        id=row["id"],
        at=rfc3339(row["at"]),
        ended_at=rfc3339(row["ended_at"] or 0),
        actor=row["actor"],
        action=row["action"],
        target=row["target"],
        outcome=row["outcome"],
        code=row["code"],
        reason=row["reason"],
        context=row["context"],
        src=row["src"],
        session=row["session"],
        corr=row["corr"],
    )
