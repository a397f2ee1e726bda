"""Which change a record belongs to, as the audit table keeps it.

A change is a command with all that came of it: facts that it caused, facts that these caused, commands that it had
carried out on its way. The row that began it *leads*; what nobody's command caused leads itself. A look-up, which is a
query that was not denied, belongs to no change; but one that touches rights or the record itself, and failed, is told.
"""

from __future__ import annotations

import sqlite3

from storage.projections.audit_rows import COMPLETED, RECEIVED, Shown, privileged

LOOKED = frozenset({"success", "unknown"})
"""Outcomes of queries that are nothing but look-ups."""
STREAMS = "command:"
"""What the streams of commands begin with."""

# Every statement names the correlation, by whose index it is answered, and so do the keys of the dictionaries below.
CAUSE = (
    "SELECT lead FROM audit WHERE corr = ? AND corr <> '' AND (stream = ? OR id = ?) AND lead >= 0 ORDER BY pos LIMIT 1"
)
FIRST = "SELECT lead FROM audit WHERE corr = ? AND corr <> '' AND lead >= 0 ORDER BY pos LIMIT 1"
AROUND = (
    "SELECT lead FROM audit WHERE corr = ? AND corr <> '' AND process = ? AND outcome = 'unknown'"
    " AND ended_at IS NULL ORDER BY pos LIMIT 1"
)


class Leads:
    """Finds the leads of records that are folded together; ``connection`` has the rows of those before them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._by_cause: dict[tuple[str, str], int] = {}
        """Correlation, and the stream of a command or the id of a record → lead."""
        self._first: dict[str, int] = {}
        """Correlation → lead of the first record that has it."""
        self._running: dict[int, tuple[str, str, int]] = {}
        """Position of a command that has no end yet → its correlation, process and lead."""

    def of(self, one: Shown) -> int | None:
        """Position of the row that leads this one, perhaps itself; None for a look-up."""
        pos, corr, stream, kind = one.pos, one.corr, one.stream, one.type
        if kind == COMPLETED:
            if one.outcome in LOOKED or (one.outcome == "failure" and not privileged(one.body.command)):
                return None
            lead = pos
        elif not corr:
            return pos
        else:
            lead = self._of_command(one) if kind == RECEIVED else self._of_fact(one)
        command = corr, stream
        if stream.startswith(STREAMS) and command not in self._by_cause:
            # The first that was begun counts, and that may stand in the table already.
            older = self._stored(CAUSE, corr, stream, "") if one.ver > 1 else None
            self._by_cause[command] = lead if older is None else older
        self._by_cause[corr, one.id] = lead
        self._first.setdefault(corr, lead)
        return lead

    def end(self, pos: int) -> None:
        """The command that began there has come to its end: nothing that begins from now on is a part of it."""
        self._running.pop(pos, None)

    def _of_command(self, one: Shown) -> int:
        pos, corr, process = one.pos, one.corr, one.body.process
        lead = None
        if process:
            # Where it is not the first of its correlation, it follows from another command that the process is at, or
            # both were given their correlation from outside.
            if one.stream != STREAMS + corr:
                lead = self._stored(AROUND, corr, process)
                if lead is None:
                    around = (each for *where, each in self._running.values() if where == [corr, process])
                    lead = next(around, None)
            if one.outcome == "unknown":
                self._running[pos] = corr, process, pos if lead is None else lead
        elif one.ver > 1 and not one.idem:
            lead = self._caused(corr, one.stream, "")  # another try at what was begun
        return pos if lead is None else lead

    def _of_fact(self, one: Shown) -> int:
        corr, caus = one.corr, one.caus
        lead = self._caused(corr, STREAMS + caus, caus)
        if lead is None and caus == corr:
            lead = self._stored(FIRST, corr)
            if lead is None:
                lead = self._first.get(corr)
        return one.pos if lead is None else lead

    def _caused(self, corr: str, stream: str, identity: str) -> int | None:
        for key in (stream, identity):
            if (corr, key) in self._by_cause:
                return self._by_cause[corr, key]
        return self._stored(CAUSE, corr, stream, identity)

    def _stored(self, sql: str, *parameters: str) -> int | None:
        found = self._connection.execute(sql, parameters).fetchone()
        return found[0] if found else None
