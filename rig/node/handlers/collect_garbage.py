"""Free the disk of what no kept release needs."""

from __future__ import annotations

from rig.contract.collect import CollectGarbage, Collection
from rig.kernel.times import instant
from rig.node.collect.model import Retention
from rig.node.collect.report import fact_of
from rig.node.ports import NodeContext


def handle(command: CollectGarbage, ctx: NodeContext) -> Collection:
    age = ctx.stamp.at - instant(command.older_than, ctx.stamp.at, "--older-than")
    retention = Retention(keep=command.keep, older_than=age // 1_000_000_000)
    collection = ctx.ports.garbage.collect_now(retention, dry_run=command.dry_run)
    if collection.garbage and not command.dry_run:
        ctx.emit("node", fact_of(collection, retention), target="node")
    return collection
