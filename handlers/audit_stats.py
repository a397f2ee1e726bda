"""`rig audit stats`: how often what was done. What both records have is counted once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence

import msgspec

from handlers.audit_answer import Row
from handlers.audit_query import Question, question
from handlers.audit_sources import known_of, name_of, records
from rig.contract.review import AuditFilter, AuditStats, AuditSummary, StatsRow
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Record

DAY, HOUR = 86_400 * 1_000_000_000, 3_600 * 1_000_000_000
EXPRESSIONS = {
    "actor": "actor",
    "day": f"at / {DAY}",
    "hour": f"at / {HOUR}",
    "action": "action",
    "target": "target",
    "network": "CASE instr(target, '/') WHEN 0 THEN target ELSE substr(target, 1, instr(target, '/') - 1) END",
    "outcome": "outcome",
    "env": "env",
    "src": "src",
}


PAGE = 2_000
"""Entries of the local record that are looked up in the other one in one go."""

Group = tuple[str, ...]
Counts = dict[Group, Counter[str]]
"""How many entries of each group had which outcome."""


def handle(command: AuditStats, ctx: ClientContext) -> AuditSummary:
    if command.text:
        raise RigError("usage", "Words are not counted.", "`rig audit --text WORDS` shows how many entries hold them.")
    sources = records(command, command.from_file, ctx)
    asked = question(command, ctx.stamp.at)
    by = list(dict.fromkeys(command.by.split(",")))
    counts: Counts = {}
    total = 0
    for source, record in sources:
        total += next(record.rows("SELECT count(*) AS n FROM audit"))["n"]
        for group, outcome, n in grouped(record, source, asked, by):
            counts.setdefault(group, Counter())[outcome] += n
    both = 0
    if len(sources) > 1:
        known = dict(sources)
        for ours, theirs in twins(known["local"], known["observed"], asked, by):
            both += 1
            for source, row, n in (("local", ours, -1), ("observed", theirs, -1), ("both", ours, 1)):
                counts.setdefault(group_of(row, source, by), Counter())[row["outcome"]] += n
        # What does not match stands in both records, too.
        everything = question(AuditFilter(), ctx.stamp.at)
        total -= both if asked.all else sum(1 for _ in twins(known["local"], known["observed"], everything, ()))
    listed = [
        StatsRow(keys=dict(zip(by, group, strict=True)), count=outcomes.total(), outcomes=dict(+outcomes))
        for group, outcomes in counts.items()
        if outcomes.total()
    ]
    listed.sort(key=lambda row: (-row.count, *row.keys.values()))
    matched = sum(row.count for row in listed)
    return AuditSummary(
        by=by,
        record=name_of(sources),
        rows=listed,
        matched=matched,
        both=both,
        excluded=total - matched,
        replica=known_of(sources, ctx),
    )


def grouped(record: Record, source: str, asked: Question, by: Sequence[str]) -> Iterator[tuple[Group, str, int]]:
    """The groups of one record, each with an outcome and how often it was that."""
    columns, groups = selected(by), ", ".join(f"{key}_" for key in by if key != "source") or "1"
    sql = f"SELECT {columns}outcome, count(*) AS n FROM audit WHERE {asked.where} GROUP BY {groups}, outcome"  # noqa: S608 - ours
    for row in record.rows(sql, asked.parameters):
        yield group_of(row, source, by), row["outcome"], row["n"]


def twins(local: Record, observed: Record, asked: Question, by: Sequence[str]) -> Iterator[tuple[Row, Row]]:
    """What both records have, told by its correlation, as in `handlers.list_audit.merged`; of each its two entries."""
    columns = f"SELECT {selected(by)}outcome, pos, corr, action, target FROM audit WHERE {asked.where} AND corr"  # noqa: S608 - ours
    page = f"{columns} <> '' AND pos > ? ORDER BY pos LIMIT {PAGE}"
    same = f"{columns} <> '' AND corr IN (SELECT value FROM json_each(?)) ORDER BY pos"  # noqa: S608 - ours
    # A correlation may go on in the next page, where what was paired in this one must not be found again.
    paired: set[int] = set()
    after = -1
    while rows := list(local.rows(page, (*asked.parameters, after))):
        correlations = msgspec.json.encode(sorted({row["corr"] for row in rows})).decode()
        others: dict[tuple[str, str, str], deque[Row]] = {}
        for row in observed.rows(same, (*asked.parameters, correlations)):
            if row["pos"] not in paired:
                others.setdefault((row["corr"], row["action"], row["target"]), deque()).append(row)
        for row in rows:
            if found := others.get((row["corr"], row["action"], row["target"])):
                paired.add(found[0]["pos"])
                yield row, found.popleft()
        after = rows[-1]["pos"]


def selected(by: Sequence[str]) -> str:
    """The columns that make a group."""
    return "".join(f"{EXPRESSIONS[key]} AS {key}_, " for key in by if key != "source")


def group_of(row: Row, source: str, by: Sequence[str]) -> Group:
    return tuple(source if key == "source" else shown(key, row[f"{key}_"]) for key in by)


def shown(key: str, value: str | int) -> str:
    """A group's value as text: days and hours as they are written."""
    if key == "day":
        return rfc3339(int(value) * DAY)[:10]
    return rfc3339(int(value) * HOUR)[:13] + "Z" if key == "hour" else str(value)
