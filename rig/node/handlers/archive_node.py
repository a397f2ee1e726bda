"""Move the older records of the node's journal to a file beside it."""

from __future__ import annotations

from rig.contract.evidence import Archived, ArchiveNode
from rig.kernel.errors import RigError
from rig.kernel.times import instant
from rig.node.ports import NodeContext

REPEATED = 24 * 3600 * 1_000_000_000
"""Nanoseconds for which a request may be sent again, and is known by its record."""


def handle(command: ArchiveNode, ctx: NodeContext) -> Archived:
    before = instant(command.before, ctx.stamp.at, "--before")
    if before > ctx.stamp.at - REPEATED:
        raise RigError(
            "usage",
            "Records of the last day stay: a request that is sent again is known by them.",
            "Name an earlier time: `--before 1d`.",
        )
    return ctx.ports.evidence.archive(before, "", ctx.stamp)
