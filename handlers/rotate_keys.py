"""Have a node replace the keys under which it keeps secrets."""

from __future__ import annotations

from rig.contract.secrets import KeyRotation, RotateKeys
from rig.kernel.client import ClientContext, send


def handle(command: RotateKeys, ctx: ClientContext) -> KeyRotation:
    return send(ctx, command, KeyRotation)
