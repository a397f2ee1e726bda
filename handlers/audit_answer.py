"""Answers from the audit table, each in a few milliseconds however long the record is.

SQLite does not know how often a value occurs, so it is not left to choose among the indexes: each filter is counted
in its own index, up to a bound, and the rarest one leads. Where none is rare, the newest rows are walked along the
index of the leading one until enough of them match.
"""

# ruff: noqa: S608 - what is put into statements are names and clauses of ours; values are parameters

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from handlers.audit_query import BEGINS, Clause, Question, equal
from rig.contract.review import AuditEntry, Source
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Record, Texts

RARE = 2_000
"""So many rows can be fetched and sorted in the time that an answer may take."""
COUNTED = 2_000
"""Rows in which matches are counted, where each has to be looked at."""
COUNTED_CHANGES = 500
"""The same where it has to be told, too, which of them are parts of one change."""
COUNTED_BY_INDEX = 20_000
"""Rows in which matches are counted where the index tells."""
FOUND = 250
"""Hits for words that are looked at in one go."""
DISTINCT = 64
"""So many values that begin alike can be asked for one by one."""

Row = dict[str, Any]


class Answer(msgspec.Struct, frozen=True):
    """Rows of the audit table in the order that was asked for, and how many there are, or of how many changes."""

    rows: list[Row]
    matched: int
    exact: bool
    """False where more may match than were counted."""
    total: int
    """How many could match: all rows, or all changes, and with these the look-ups that do match."""


LEAD = "coalesce(lead, pos)"
"""What tells changes apart; a look-up is taken for one where it is asked for."""
LOOK_UPS = "count(CASE WHEN lead IS NULL THEN 1 END)"


def lead_of(row: Row) -> int:
    """Position of the row that began the change of which this one is a part."""
    return int(row["pos"] if row["lead"] is None else row["lead"])


def answer(record: Record, asked: Question, limit: int, texts: Texts) -> Answer:
    """At most ``limit`` rows that match."""
    total = number_of_all(record, asked)
    if asked.text:
        return _by_words(record, asked, limit, texts, total)
    leads, rare = _leads(record, asked)
    if asked.all:
        matched, exact = total, True
    elif rare:
        counted = f"DISTINCT {LEAD}" if asked.changes else "*"
        sql = f"SELECT count({counted}) AS n, {LOOK_UPS} AS looks FROM audit {leads[0].hint} WHERE {asked.where}"
        row = next(record.rows(sql, asked.parameters))
        matched, exact = row["n"], True
        total += row["looks"] if asked.changes else 0
    else:
        counts = [_count(record, asked, lead, len(leads)) for lead in leads]
        matched, exact = sum(count for count, _, _ in counts), all(exact for _, _, exact in counts)
        total += sum(looks for _, looks, _ in counts)
        if asked.changes and len(leads) > 1:
            matched, exact = max(count for count, _, _ in counts), False  # one change may be found by several
    if asked.forward and not rare:
        leads = [Clause("")]  # along the positions
    if len(leads) == 1:
        return Answer(_walk(record, asked, leads[0], limit), matched, exact, total)
    return Answer(_merge(record, asked, leads, limit), matched, exact, total)


def number_of_all(record: Record, asked: Question) -> int:
    """How many there are of what is asked for, whether they match or not: rows, or changes."""
    among = f"{BEGINS.hint} WHERE {BEGINS.sql}" if asked.changes else ""
    return _number(record, f"SELECT count(*) FROM audit {among}")


def is_look_up(row: Row) -> bool:
    """Whether a row is no part of a change."""
    return row["lead"] is None


def everything(record: Record, asked: Question, texts: Texts, page: int = 2_000) -> Iterator[Row]:
    """All rows that match, in the order of their positions, page by page: nothing is held up meanwhile."""
    forward = msgspec.structs.replace(asked, forward=True)
    if asked.text:
        yield from _by_words(record, forward, 1 << 62, texts, 0).rows
        return
    leads, rare = _leads(record, forward)
    if rare:
        yield from _walk(record, forward, leads[0], RARE)
        return
    after = -1
    while True:
        behind = Clause("pos > ?", (after,))
        rows = _walk(record, Question([*asked.clauses, behind], asked.span, forward=True), behind, page)
        yield from rows
        if len(rows) < page:
            return
        after = rows[-1]["pos"]


def entry(row: Row, source: Source) -> AuditEntry:
    """A row of the table as the reply has it."""
    return AuditEntry(
        source=source,
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
        env=row["env"],
        src=row["src"],
        session=row["session"],
        corr=row["corr"],
        privileged=bool(row["privileged"]),
        version=row["version"],
    )


def _leads(record: Record, asked: Question) -> tuple[list[Clause], bool]:
    """The clauses by whose indexes the answer is found, and whether it is rare: then it is one clause.

    A clause for texts that begin alike is taken apart into one for each of them: only so is its index in the order of
    time.
    """
    found: list[tuple[int, bool, Clause]] = []
    for clause in (*asked.clauses, *([asked.span] if asked.span.sql else [])):
        ranged = bool(clause.prefix) or clause is asked.span
        narrowed = clause if ranged else asked.and_span(clause)
        probe = f"SELECT 1 FROM audit {clause.hint} WHERE {narrowed.sql} LIMIT {RARE + 1}"
        found.append((_number(record, f"SELECT count(*) FROM ({probe})", narrowed.parameters), ranged, clause))
    for count, ranged, clause in sorted(found, key=lambda each: each[:2]):
        if count <= RARE:
            return [clause], True
        if not ranged:
            return [clause], False
        values = _values(record, clause) if clause.prefix else []
        if 0 < len(values) <= DISTINCT:
            return [equal(clause.column, value, instead_of=clause) for value in values], False
    return [asked.span], False


def _count(record: Record, asked: Question, lead: Clause, shares: int) -> tuple[int, int, bool]:
    """How many rows or changes of a lead match, as far as they are counted; how many of these are look-ups, which are
    no changes; and whether that is all of them."""
    narrowed, others = lead if lead is asked.span else asked.and_span(lead), asked.without(lead)
    where = narrowed.sql or "1"
    if asked.changes:
        bound = COUNTED_CHANGES // shares
        looked_at = f"SELECT * FROM audit {lead.hint} WHERE {where} LIMIT {bound}"
        fits = others.sql or "1"
        counted = f"count(DISTINCT {LEAD}) FILTER (WHERE matching) AS n, {LOOK_UPS} FILTER (WHERE matching) AS looks"
        sql = f"SELECT count(*) AS seen, {counted} FROM (SELECT *, {fits} AS matching FROM ({looked_at}))"
        row = next(record.rows(sql, (*others.parameters, *narrowed.parameters)))
        return row["n"], row["looks"], row["seen"] < bound
    bound = (COUNTED if others.sql or not lead.index else COUNTED_BY_INDEX) // shares
    seen = _number(
        record,
        f"SELECT count(*) FROM (SELECT 1 FROM audit {lead.hint} WHERE {where} LIMIT {bound})",
        narrowed.parameters,
    )
    if not others.sql:
        return seen, 0, seen < bound
    looked_at = f"SELECT * FROM audit {lead.hint} WHERE {where} LIMIT {bound}"
    parameters = (*narrowed.parameters, *others.parameters)
    return _number(record, f"SELECT count(*) FROM ({looked_at}) WHERE {others.sql}", parameters), 0, seen < bound


def _walk(record: Record, asked: Question, lead: Clause, limit: int, columns: str = "*") -> list[Row]:
    where = asked.with_lead(lead)
    sql = f"SELECT {columns} FROM audit {lead.hint} WHERE {where.sql or '1'} ORDER BY {asked.order} LIMIT ?"
    return list(record.rows(sql, (*where.parameters, limit)))


def _merge(record: Record, asked: Question, leads: list[Clause], limit: int) -> list[Row]:
    """The newest rows of each lead, and of these the newest."""
    places = [row for lead in leads for row in _walk(record, asked, lead, limit, "at, pos")]
    newest = sorted(((row["at"], row["pos"]) for row in places), reverse=True)[:limit]
    among = _among([pos for _, pos in newest])
    sql = f"SELECT * FROM audit NOT INDEXED WHERE {among.sql} ORDER BY {asked.order}"
    return list(record.rows(sql, among.parameters))


def _values(record: Record, clause: Clause) -> list[str]:
    """The values that begin alike, up to one more than can be asked for: one seek in the index for each."""
    begin, end = clause.parameters
    seek = f"SELECT min({clause.column}) FROM audit {clause.hint} WHERE {clause.column}"
    partial = clause.sql.partition("< ?")[2]
    sql = f"""
        WITH RECURSIVE each(value) AS (
            {seek} >= ? AND {clause.column} < ? {partial}
            UNION ALL
            SELECT ({seek} > value AND {clause.column} < ? {partial}) FROM each WHERE value IS NOT NULL
            LIMIT {DISTINCT + 2}
        ) SELECT value FROM each WHERE value IS NOT NULL"""
    return [row["value"] for row in record.rows(sql, (begin, end, end))]


def _by_words(record: Record, asked: Question, limit: int, texts: Texts, total: int) -> Answer:
    """Rows that hold the words: those that were found last first, until enough of them match the rest too."""
    rows: dict[int, Row] = {}
    below = 1 << 62
    while below and (asked.forward or len(rows) < limit):
        found, below = texts.find(record, asked.text, below, RARE if asked.forward else FOUND)
        within = Question([*asked.clauses, _among(found)], asked.span)
        rows |= {row["pos"]: row for row in _walk(record, within, Clause(""), len(found))}
    listed = sorted(rows.values(), key=lambda row: (row["at"], row["pos"]), reverse=True)
    if asked.forward:
        listed.sort(key=lambda row: row["pos"])
    matched = len({lead_of(row) for row in listed}) if asked.changes else len(listed)
    total += sum(map(is_look_up, listed)) if asked.changes else 0
    return Answer(listed[:limit], matched, not below, total)


def _among(positions: list[int]) -> Clause:
    return Clause("pos IN (SELECT value FROM json_each(?))", (msgspec.json.encode(positions).decode(),))


def _number(record: Record, sql: str, parameters: tuple[Any, ...] = ()) -> int:
    return int(next(iter(next(record.rows(sql, parameters)).values())))
