"""Make an app."""

from __future__ import annotations

from events.app import AppCreated, AppLimited, AppScaled
from events.base import Fact
from rig.contract.apps import App, CreateApp
from rig.kernel.client import ClientContext, send


def decide(app: App) -> list[Fact]:
    """What is on the record once the platform has agreed."""
    scaled: list[Fact] = [AppScaled(name=app.name, scale=app.processes)] if app.processes else []
    limited: list[Fact] = [AppLimited(name=app.name, memory=app.limits)] if app.limits else []
    return [AppCreated(name=app.name), *scaled, *limited]


def handle(command: CreateApp, ctx: ClientContext) -> App:
    app = send(ctx, command, App)
    for fact in decide(app):
        ctx.emit(f"app:{app.name}", fact, target=app.name)
    return app
