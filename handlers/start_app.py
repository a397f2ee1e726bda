"""Start an app that was stopped."""

from __future__ import annotations

from events.app import AppStarted
from events.base import Fact
from handlers.settling import settle
from rig.contract.apps import App, StartApp
from rig.kernel.client import ClientContext, send


def decide(app: App) -> list[Fact]:
    """What is on the record once the platform has agreed."""
    return [AppStarted(name=app.name)]


def handle(command: StartApp, ctx: ClientContext) -> App:
    app = send(ctx, command, App)
    for fact in decide(app):
        ctx.emit(f"app:{app.name}", fact, target=app.name)
    return settle(app, "starting", ctx, no_wait=command.no_wait, timeout=command.timeout)
