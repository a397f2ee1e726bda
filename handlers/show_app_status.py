"""Show how an app is doing."""

from __future__ import annotations

from rig.contract.apps import AppStatus, ShowAppStatus
from rig.kernel.client import ClientContext, send


def handle(command: ShowAppStatus, ctx: ClientContext) -> AppStatus:
    return send(ctx, command, AppStatus)
