"""Change how many processes of an app run, and how much memory they may take."""

from __future__ import annotations

import msgspec

from events.app import AppLimited, AppScaled
from events.base import Fact
from handlers.changing import begin, watch
from handlers.settling import settle
from rig.contract.apps import App, UpdateApp
from rig.contract.variables import MadeRelease
from rig.kernel.client import ClientContext, send


def decide(command: UpdateApp, app: App) -> list[Fact]:
    """What is on the record once the platform has agreed."""
    scaled: list[Fact] = [AppScaled(name=app.name, scale=command.scale)] if command.scale else []
    return [*scaled, AppLimited(name=app.name, memory=app.limits)] if command.memory else scaled


def handle(command: UpdateApp, ctx: ClientContext) -> App:
    app = send(ctx, command, App)
    for fact in decide(command, app):
        ctx.emit(f"app:{app.name}", fact, target=app.name)
    if command.memory and app.deployment:
        # A limit is part of a release, which it made.
        ctx.record()
        watch([begin(MadeRelease(app=app.name, version=app.deployment), ctx)], command.no_wait, ctx)
    app = settle(app, "scaling", ctx, no_wait=command.no_wait, timeout=command.timeout)
    return app if command.scale else msgspec.structs.replace(app, working="")
