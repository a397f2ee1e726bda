"""Show how the embedded Max node is."""

from __future__ import annotations

from rig.contract.node import Node, NodeStatus
from rig.kernel.client import ClientContext


def handle(command: NodeStatus, ctx: ClientContext) -> Node:
    return ctx.ports.node_process.status()
