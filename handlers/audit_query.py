"""From the filters of `rig audit` to conditions on the audit table."""

from __future__ import annotations

from typing import Any

import msgspec

from rig.contract.review import AuditFilter
from rig.kernel.errors import RigError
from rig.kernel.times import instant

LAST = "\U0010ffff"
"""Behind every character: the end of a range of texts that begin alike."""

_PREFIXES = ("actor", "target", "action", "src", "env", "session", "corr")
_PARTIAL = {name: f" AND {name} <> ''" for name in ("env", "session", "corr")}
"""What a query has to say so that a partial index can answer it."""


class Clause(msgspec.Struct, frozen=True):
    """One condition. ``index`` is the one that answers it; empty for the rows' own order of positions."""

    sql: str
    parameters: tuple[Any, ...] = ()
    index: str = ""
    column: str = ""
    prefix: str = ""
    """What the values of ``column`` begin with, where it need not be equal to one."""
    instead_of: Clause | None = None
    """The clause for several values of which this is for one."""

    @property
    def hint(self) -> str:
        return f"INDEXED BY {self.index}" if self.index else "NOT INDEXED"


class Question(msgspec.Struct, frozen=True):
    """The conditions of a filter, each of which has an index, and the span of time."""

    clauses: list[Clause]
    span: Clause
    text: str = ""
    """Words that the rows have to hold."""
    forward: bool = False
    """Whether the rows are wanted in the order of their positions, and not the newest first."""
    outcome: str = ""
    """The outcome that the rows have to have."""
    changes: bool = False
    """Whether rows stand for the changes that they are parts of, and these are counted."""

    @property
    def all(self) -> bool:
        """Whether all rows match, or all changes do."""
        return not self.span.sql and not self.text and all(clause is BEGINS for clause in self.clauses)

    @property
    def order(self) -> str:
        return "pos" if self.forward else "at DESC, pos DESC"

    @property
    def where(self) -> str:
        return _all(*self.clauses, self.span).sql or "1"

    @property
    def parameters(self) -> tuple[Any, ...]:
        return _all(*self.clauses, self.span).parameters

    def without(self, lead: Clause) -> Clause:
        """What else has to hold where ``lead`` and the span do."""
        return _all(*(clause for clause in self.clauses if clause not in {lead, lead.instead_of}))

    def with_lead(self, lead: Clause) -> Clause:
        """All that has to hold, ``lead`` standing for the clause that it was made of."""
        if lead is self.span:
            return _all(*self.clauses, self.span)
        return _all(lead, *(clause for clause in self.clauses if clause not in {lead, lead.instead_of}), self.span)

    def and_span(self, clause: Clause) -> Clause:
        """A clause within the span of time."""
        return _all(clause, self.span)


def _all(*clauses: Clause) -> Clause:
    sql = " AND ".join(clause.sql for clause in clauses if clause.sql)
    return Clause(sql, tuple(value for clause in clauses for value in clause.parameters))


BEGINS = Clause("lead = pos", (), "audit_changes")
"""Rows that begin a change. Those that belong to one are nearly all, so that is no way to an answer."""
BELONGS = Clause("lead >= 0", (), "audit_at")


def question(asked: AuditFilter, now: int, after: int | None = None, *, changes: bool = False) -> Question:
    """The conditions of a filter. ``now`` is what ``2h`` counts back from. Raises `RigError` ``usage``.

    With ``after`` they are those behind a position, in their order. With ``changes`` they are those of which at least
    one is a part of each change that is wanted. Look-ups are no changes; they are wanted where ``action`` names what
    they are.
    """
    clauses = []
    for column in _PREFIXES:
        value = whole_actor(asked.actor) if column == "actor" else getattr(asked, column)
        if value.endswith("*") and value != "*":
            begin = value[:-1]
            sql = f"{column} >= ? AND {column} < ?" + _PARTIAL.get(column, "")
            clauses.append(Clause(sql, (begin, begin + LAST), f"audit_{column}", column, begin))
        elif value and value != "*":
            clauses.append(equal(column, value))
    outcome = "denied" if asked.denied else asked.outcome
    if asked.denied and asked.outcome not in {"", "denied"}:
        raise RigError("usage", f"--denied and --outcome {asked.outcome} exclude each other.", "Give one of them.")
    if outcome == "success":
        clauses.append(Clause("outcome = 'success'", (), "audit_at"))  # nearly all of them are
    elif outcome:
        # Written out, since the index holds no successes, and SQLite has to see that it need not.
        clauses.append(Clause(f"outcome = '{outcome}' AND outcome <> 'success'", (), "audit_outcome"))
    if asked.privileged:
        clauses.append(Clause("privileged = 1", (), "audit_privileged"))
    if after is not None:
        clauses.append(Clause("pos > ?", (after,)))
    if changes and not asked.action:
        clauses.append(BELONGS if clauses or asked.text else BEGINS)
    return Question(clauses, _span(asked, now), asked.text, after is not None, outcome, changes)


def whole_actor(name: str) -> str:
    """``user:ana`` for ``ana``, as people are shown, and ``system:node`` for ``node``; what has a kind stays."""
    if not name or ":" in name or name == "*":
        return name
    return f"system:{name}" if name == "node" else f"user:{name}"


def equal(column: str, value: str, instead_of: Clause | None = None) -> Clause:
    """The condition that a column has one value."""
    sql = f"{column} = ?" + _PARTIAL.get(column, "")
    return Clause(sql, (value,), f"audit_{column}", column, instead_of=instead_of)


def _span(asked: AuditFilter, now: int) -> Clause:
    clauses: list[str] = []
    parameters: list[int] = []
    for sql, flag, text in (("at >= ?", "--since", asked.since), ("at < ?", "--until", asked.until)):
        if text:
            clauses.append(sql)
            parameters.append(instant(text, now, flag))
    if len(parameters) == 2 and parameters[0] > parameters[1]:
        raise RigError(
            "usage",
            f"--since {asked.since} is later than --until {asked.until}: nothing lies between them.",
            "Exchange them.",
        )
    return Clause(" AND ".join(clauses), tuple(parameters), "audit_at")
