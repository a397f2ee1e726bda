"""Start the embedded Max node."""

from __future__ import annotations

from rig.contract.node import Node, StartNode
from rig.kernel.client import ClientContext


def handle(command: StartNode, ctx: ClientContext) -> Node:
    if command.foreground:
        return ctx.ports.node_process.run(command)
    ctx.progress.step("Starting the Max node")
    node = ctx.ports.node_process.start(command)
    if node.isolation == "none":
        ctx.warn(
            "Apps are not isolated from each other or from your files: install bubblewrap, or trust what you deploy."
        )
    return node
