"""Change how many processes of an app run."""

from __future__ import annotations

from events.app import AppScaled
from events.base import Fact
from handlers.settling import settle
from rig.contract.apps import App, UpdateApp
from rig.kernel.client import ClientContext, send


def decide(command: UpdateApp, app: App) -> list[Fact]:
    """What is on the record once the platform has agreed."""
    return [AppScaled(name=app.name, scale=command.scale)]


def handle(command: UpdateApp, ctx: ClientContext) -> App:
    app = send(ctx, command, App)
    for fact in decide(command, app):
        ctx.emit(f"app:{app.name}", fact, target=app.name)
    return settle(app, "scaling", ctx, no_wait=command.no_wait, timeout=command.timeout)
