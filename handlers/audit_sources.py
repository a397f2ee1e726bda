"""Whose records a question to the audit log is put to."""

from __future__ import annotations

from handlers.observe import observed, state_of
from rig.contract.review import AuditFilter, Replicated, Source
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ports import Record

Sources = list[tuple[Source, Record]]
"""Whose record, and the record."""


def records(asked: AuditFilter, from_file: str, ctx: ClientContext, *, fetch: bool = True) -> Sources:
    """The records that are asked: the local one, and the platform's as far as it is known; or one imported."""
    if from_file:
        return [("export", ctx.ports.imported(from_file))]
    sources: Sources = [] if asked.source == "observed" else [("local", ctx.journal)]
    replica = observed(ctx, fetch=fetch) if asked.source != "local" else None
    if replica is not None:
        sources.append(("observed", replica))
    if not sources:
        raise RigError(
            "not_found",
            "Nothing is known here of a platform's record yet.",
            "`rig audit --sync` fetches what you may see.",
        )
    return sources


def name_of(sources: Sources) -> str:
    """``local+observed``."""
    return "+".join(source for source, _ in sources)


def known_of(sources: Sources, ctx: ClientContext) -> Replicated | None:
    """How far the replica goes, where it was asked."""
    return state_of(ctx.ports.replica) if any(source == "observed" for source, _ in sources) else None
