"""Replace the keys under which secrets are kept."""

from __future__ import annotations

from events.node import NodeKeysRotated
from rig.contract.secrets import KeyRotation, RotateKeys
from rig.node.ports import NodeContext


def handle(command: RotateKeys, ctx: NodeContext) -> KeyRotation:
    secrets = ctx.ports.secrets
    forgotten = secrets.forget_lost() if command.forget_lost else 0
    count = secrets.rotate()
    ctx.emit("node", NodeKeysRotated(values=count, forgotten=forgotten), target="node")
    return KeyRotation(values=count, forgotten=forgotten)
