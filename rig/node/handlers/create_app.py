"""Make an app."""

from __future__ import annotations

from events.app import AppCreated, AppState, evolve
from events.base import Fact
from rig.contract.apps import App, CreateApp
from rig.contract.names import split_app
from rig.kernel.errors import RigError
from rig.node.ports import NodeContext, happening
from rig.node.views import app_view


def decide(state: AppState, name: str) -> list[Fact]:
    """The facts of making the app ``network/app``. Raises `RigError` ``already_exists``."""
    if state.exists:
        raise RigError("already_exists", f"There is an app `{name}` already.", f"See it with `rig details app {name}`.")
    return [AppCreated(name=name)]


def handle(command: CreateApp, ctx: NodeContext) -> App:
    world = ctx.ports.world
    world.network(split_app(command.app)[0])
    stream, state = f"app:{command.app}", world.apps.get(command.app, AppState())
    for fact in decide(state, command.app):
        ctx.emit(stream, fact, target=command.app, expect=world.version(stream))
        state = evolve(state, fact, happening(ctx))
    return app_view(state, ctx.ports)
