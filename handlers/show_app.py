"""Show an app."""

from __future__ import annotations

from rig.contract.apps import App, ShowApp
from rig.kernel.client import ClientContext, send


def handle(command: ShowApp, ctx: ClientContext) -> App:
    return send(ctx, command, App)
