"""Stop the embedded Max node."""

from __future__ import annotations

from rig.contract.node import Node, StopNode
from rig.kernel.client import ClientContext


def handle(command: StopNode, ctx: ClientContext) -> Node:
    ctx.progress.step("Stopping the Max node" + (", not its apps" if command.keep_apps else " and its apps"))
    return ctx.ports.node_process.stop(command)
