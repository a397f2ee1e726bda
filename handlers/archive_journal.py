"""`rig journal archive`: older records move to a file."""

from __future__ import annotations

from rig.contract.evidence import Archived, ArchiveJournal
from rig.kernel.client import ClientContext
from rig.kernel.times import instant


def handle(command: ArchiveJournal, ctx: ClientContext) -> Archived:
    """Archive what is older than the time."""
    before = instant(command.before, ctx.stamp.at, "--before")
    return ctx.ports.evidence.archive(before, command.to, ctx.stamp)
