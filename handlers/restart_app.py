"""Replace the processes of an app by new ones."""

from __future__ import annotations

from events.app import AppRestartRequested
from events.base import Fact
from handlers.settling import settle
from rig.contract.apps import App, RestartApp
from rig.kernel.client import ClientContext, send


def decide(app: App) -> list[Fact]:
    """What is on the record once the platform has agreed."""
    return [AppRestartRequested(name=app.name)]


def handle(command: RestartApp, ctx: ClientContext) -> App:
    app = send(ctx, command, App)
    for fact in decide(app):
        ctx.emit(f"app:{app.name}", fact, target=app.name)
    return settle(app, "restarting", ctx, no_wait=command.no_wait, timeout=command.timeout)
