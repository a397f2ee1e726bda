"""`rig audit`: who did what, from the record of this machine and what is known of the platform's."""

from __future__ import annotations

import msgspec

from handlers.audit_answer import Answer, answer, entry
from handlers.audit_query import Question, question
from handlers.observe import observed, state_of, sync
from rig.contract.review import AuditEntry, AuditFilter, AuditLog, ListAudit
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ports import Journal, Replica


def handle(command: ListAudit, ctx: ClientContext) -> AuditLog:
    if command.sync:
        if ctx.ports.replica is None:
            raise RigError(
                "login_required", "There is no platform whose record could be fetched.", "Log in: `rig login URL`."
            )
        sync(ctx, ctx.ports.replica)
    local, replica = records(command, ctx, fetch=not command.sync)
    if command.sql:
        rows = ctx.ports.ask_sql(command.sql, observed=local is None)
        return AuditLog(record="local" if local else "observed", matched=len(rows), rows=rows)
    asked = question(command, ctx.stamp.at, command.after_pos)
    if asked.forward and local and replica:
        replica = None  # positions are those of one record, and without a word that is the local one
    found = [(answer(one, asked, command.limit + 1, ctx.ports.texts), one is local) for one in (local, replica) if one]
    entries = merged([entry(row, "local" if own else "observed") for each, own in found for row in each.rows], asked)
    return AuditLog(
        record=name_of(local, replica),
        more=len(entries) > command.limit,
        matched=sum(each.matched for each, _ in found),
        exact=all(each.exact for each, _ in found),
        excluded=sum(excluded(each) for each, _ in found),
        replica=state_of(replica),
        entries=entries[: command.limit],
    )


def records(asked: AuditFilter, ctx: ClientContext, *, fetch: bool = True) -> tuple[Journal | None, Replica | None]:
    """The records that are asked: the local one, and the platform's as far as it is known."""
    local = ctx.journal if asked.source != "observed" else None
    replica = observed(ctx, fetch=fetch) if asked.source != "local" else None
    if local is None and replica is None:
        raise RigError(
            "not_found",
            "Nothing is known here of a platform's record yet.",
            "`rig audit --sync` fetches what you may see.",
        )
    return local, replica


def name_of(local: Journal | None, replica: Replica | None) -> str:
    return "+".join(name for name, there in (("local", local), ("observed", replica)) if there is not None)


def excluded(found: Answer) -> int:
    """Entries that do not match."""
    return found.total - found.matched


def merged(entries: list[AuditEntry], asked: Question) -> list[AuditEntry]:
    """Both records as one list. What both of them have, told by its correlation, is one entry."""
    observed_ones: dict[tuple[str, str, str], list[AuditEntry]] = {}
    for one in entries:
        if one.source == "observed" and one.corr:
            observed_ones.setdefault((one.corr, one.action, one.target), []).append(one)
    twins: set[str] = set()
    listed = []
    for one in entries:
        same = observed_ones.get((one.corr, one.action, one.target), []) if one.source == "local" else []
        twin = same.pop(0) if same else None
        if twin is not None:
            twins.add(twin.id)
            listed.append(msgspec.structs.replace(one, source="both", observed_pos=twin.pos))
        else:
            listed.append(one)
    kept = [one for one in listed if one.id not in twins]
    return kept if asked.forward else sorted(kept, key=lambda one: (one.at, one.pos), reverse=True)
