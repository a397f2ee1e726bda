"""Stop an app."""

from __future__ import annotations

from events.app import AppStopped
from events.base import Fact
from handlers.settling import settle
from rig.contract.apps import App, StopApp
from rig.kernel.client import ClientContext, send


def decide(app: App) -> list[Fact]:
    """What is on the record once the platform has agreed."""
    return [AppStopped(name=app.name)]


def handle(command: StopApp, ctx: ClientContext) -> App:
    app = send(ctx, command, App)
    for fact in decide(app):
        ctx.emit(f"app:{app.name}", fact, target=app.name)
    return settle(app, "stopping", ctx, no_wait=command.no_wait, timeout=command.timeout)
