"""`rig journal import`: an export, as a database that `rig audit --from` asks."""

from __future__ import annotations

from handlers.trusting import trusted
from rig.contract.evidence import Imported, ImportJournal
from rig.kernel.client import ClientContext


def handle(command: ImportJournal, ctx: ClientContext) -> Imported:
    """Check it, then make the database."""
    to = command.to or f"{command.export.removesuffix('.jsonl')}.sqlite"
    key = trusted(command.export, command.key, ctx.ports.evidence, ctx)
    return ctx.ports.evidence.import_export(command.export, to, key, command.pin)
