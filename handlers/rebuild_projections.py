"""`rig journal rebuild`: the tables that queries read, made anew from the records."""

from __future__ import annotations

from rig.contract.evidence import RebuildProjections, Rebuilt
from rig.kernel.client import ClientContext


def handle(command: RebuildProjections, ctx: ClientContext) -> Rebuilt:
    """Rebuild; tables that were not what the records come to are a warning."""
    rebuilt = ctx.ports.evidence.rebuild(command.projection)
    for name in rebuilt.differed:
        ctx.warn(f"The tables of `{name}` were not what the records come to; they are now.")
    return rebuilt
