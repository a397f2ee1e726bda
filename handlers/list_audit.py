"""`rig audit`: who did what, from the record of this machine and what is known of the platform's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from handlers import audit_changes
from handlers.audit_answer import Answer, answer, entry
from handlers.audit_changes import Found
from handlers.audit_query import question
from handlers.audit_sources import Sources, known_of, name_of, records
from handlers.observe import sync
from rig.contract.review import AuditEntry, AuditFilter, AuditLog, ListAudit
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ports import Record


def handle(command: ListAudit, ctx: ClientContext) -> AuditLog:
    if command.sync:
        if ctx.ports.replica is None:
            raise RigError(
                "login_required", "There is no platform whose record could be fetched.", "Log in: `rig login URL`."
            )
        sync(ctx, ctx.ports.replica)
    sources = records(command, command.from_file, ctx, fetch=not command.sync)
    if command.sql:
        source, _ = sources[0]
        rows = ctx.ports.ask_sql(command.sql, source, command.from_file)
        return AuditLog(record=source, each="row", matched=len(rows), rows=rows, replica=known_of(sources[:1], ctx))
    if command.all_records or command.after_pos >= 0:
        after = command.after_pos if command.after_pos >= 0 else None
        return of_records(command, command.limit, sources, ctx, after)
    return of_changes(command, command.limit, sources, ctx)


def of_records(
    asked_for: AuditFilter, limit: int, sources: Sources, ctx: ClientContext, after: int | None = None
) -> AuditLog:
    """One entry for each command and for each other fact: newest first, or in their order behind a position."""
    asked = question(asked_for, ctx.stamp.at, after)
    if asked.forward:
        sources = sources[:1]  # positions are those of one record, and without a word that is the local one
    found = [(source, answer(record, asked, limit + 1, ctx.ports.texts)) for source, record in sources]
    entries = [entry(row, source) for source, each in found for row in each.rows]
    if len(sources) > 1:
        entries = merged(entries, dict(sources)["observed"])
    whole = all(each.exact and each.matched == len(each.rows) for _, each in found)
    matched, exact = (len(entries), True) if whole else matching([each for _, each in found])
    return AuditLog(
        record=name_of(sources),
        more=len(entries) > limit,
        matched=matched,
        exact=exact,
        excluded=excluded(each for _, each in found),
        replica=known_of(sources, ctx),
        entries=entries[:limit],
    )


def of_changes(asked_for: AuditFilter, limit: int, sources: Sources, ctx: ClientContext) -> AuditLog:
    """One entry for each change, newest first."""
    asked = question(asked_for, ctx.stamp.at, changes=True)
    found = [audit_changes.find(record, source, asked, limit + 1, ctx.ports.texts) for source, record in sources]
    changes = [change for each in found for change in each.changes]
    whole = all(each.exact and each.matched == len(each.changes) for each in found)
    if len(sources) > 1:
        changes = audit_changes.joined(found[0].changes, found[1].changes, dict(sources)["observed"])
    entries = sorted(map(audit_changes.told, changes), key=lambda one: (one.at, one.pos), reverse=True)
    matched, exact = (len(entries), True) if whole else matching(found)
    return AuditLog(
        record=name_of(sources),
        each="change",
        more=len(entries) > limit,
        matched=matched,
        exact=exact,
        excluded=excluded(found),
        replica=known_of(sources, ctx),
        entries=entries[:limit],
    )


def matching(found: Sequence[Answer | Found]) -> tuple[int, bool]:
    """How many match in all records together, where not all of them are here, and whether that is exact.

    Which of them stand in both records is not known then: there are at least as many as the record with most has.
    """
    return max(each.matched for each in found), len(found) == 1 and found[0].exact


def excluded(found: Iterable[Answer | Found]) -> int:
    """How many do not match. Of two records that is at least as many as the one with most has, as in `matching`."""
    return max(each.total - each.matched for each in found)


def merged(entries: list[AuditEntry], replica: Record) -> list[AuditEntry]:
    """Entries of both records as one list, newest first. What both of them have, told by its correlation, is one."""
    correlations = sorted({one.corr for one in entries if one.source == "local" and one.corr})
    sql = (
        "SELECT corr, action, target, pos, id FROM audit INDEXED BY audit_corr"
        " WHERE corr <> '' AND corr IN (SELECT value FROM json_each(?)) ORDER BY pos"
    )
    others: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for row in replica.rows(sql, (msgspec.json.encode(correlations).decode(),)):
        others.setdefault((row["corr"], row["action"], row["target"]), []).append((row["pos"], row["id"]))
    twins: set[str] = set()
    listed = []
    for one in sorted(entries, key=lambda one: one.pos):
        same = others.get((one.corr, one.action, one.target)) if one.source == "local" else None
        if same:
            pos, identity = same.pop(0)
            twins.add(identity)
            listed.append(msgspec.structs.replace(one, source="both", observed_pos=pos))
        else:
            listed.append(one)
    return sorted((one for one in listed if one.id not in twins), key=lambda one: (one.at, one.pos), reverse=True)
