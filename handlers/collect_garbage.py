"""Have a node free its disk of what no kept release needs."""

from __future__ import annotations

from rig.contract.collect import CollectGarbage, Collection
from rig.kernel.client import ClientContext, send


def handle(command: CollectGarbage, ctx: ClientContext) -> Collection:
    ctx.progress.step("Looking for what the node does not need")
    return send(ctx, command, Collection)
