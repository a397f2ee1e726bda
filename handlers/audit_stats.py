"""`rig audit stats`: how often what was done."""

from __future__ import annotations

from handlers.audit_query import question
from handlers.list_audit import known_of, name_of, records
from rig.contract.review import AuditStats, AuditSummary, StatsRow
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339

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


def handle(command: AuditStats, ctx: ClientContext) -> AuditSummary:
    if command.text:
        raise RigError("usage", "Words are not counted.", "`rig audit --text WORDS` shows how many entries hold them.")
    sources = records(command, command.from_file, ctx)
    asked = question(command, ctx.stamp.at)
    by = list(dict.fromkeys(command.by.split(",")))
    if len(sources) > 1 and "source" not in by:
        by.insert(0, "source")  # what both have would be counted twice, unseen
    keys = [key for key in by if key != "source"]
    columns = "".join(f"{EXPRESSIONS[key]} AS {key}_, " for key in keys)
    groups = ", ".join(f"{key}_" for key in keys) or "1"
    sql = f"SELECT {columns}outcome, count(*) AS n FROM audit WHERE {asked.where} GROUP BY {groups}, outcome"  # noqa: S608 - ours
    rows: dict[tuple[str, ...], dict[str, int]] = {}
    total = 0
    for source, record in sources:
        total += next(record.rows("SELECT count(*) AS n FROM audit"))["n"]
        for row in record.rows(sql, asked.parameters):
            group = tuple(source if key == "source" else shown(key, row[f"{key}_"]) for key in by)
            outcomes = rows.setdefault(group, {})
            outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + row["n"]
    matched = sum(sum(outcomes.values()) for outcomes in rows.values())
    listed = [
        StatsRow(keys=dict(zip(by, group, strict=True)), count=sum(outcomes.values()), outcomes=outcomes)
        for group, outcomes in rows.items()
    ]
    listed.sort(key=lambda row: (-row.count, *row.keys.values()))
    return AuditSummary(
        by=by,
        record=name_of(sources),
        rows=listed,
        matched=matched,
        excluded=total - matched,
        replica=known_of(sources, ctx),
    )


def shown(key: str, value: str | int) -> str:
    """A group's value as text: days and hours as they are written."""
    if key == "day":
        return rfc3339(int(value) * DAY)[:10]
    return rfc3339(int(value) * HOUR)[:13] + "Z" if key == "hour" else str(value)
