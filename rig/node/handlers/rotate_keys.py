"""Replace the keys under which secrets are kept."""

from __future__ import annotations

from events.node import NodeKeysRotated
from rig.contract.secrets import KeyRotation, RotateKeys
from rig.node.ports import NodeContext


def handle(command: RotateKeys, ctx: NodeContext) -> KeyRotation:
    count = ctx.ports.secrets.rotate()
    ctx.emit("node", NodeKeysRotated(values=count), target="node")
    return KeyRotation(values=count)
