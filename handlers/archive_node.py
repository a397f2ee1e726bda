"""Have a node move the older records of its journal to a file."""

from __future__ import annotations

from rig.contract.evidence import Archived, ArchiveNode
from rig.kernel.client import ClientContext, send


def handle(command: ArchiveNode, ctx: ClientContext) -> Archived:
    ctx.progress.step("Archiving")
    return send(ctx, command, Archived)
