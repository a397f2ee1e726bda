"""Replace the processes of an app by new ones."""

from __future__ import annotations

from events.app import AppRestartRequested, AppState, evolve
from events.base import Fact
from rig.contract.apps import App, RestartApp
from rig.kernel.errors import RigError
from rig.node.ports import NodeContext, happening
from rig.node.rules import require_release
from rig.node.views import app_view


def decide(state: AppState) -> list[Fact]:
    """The facts of a restart; none while one goes on. Raises `RigError` ``conflict`` where nothing runs."""
    require_release(state)
    if state.stopped:
        raise RigError("conflict", f"`{state.name}` is stopped.", f"Start it: `rig start {state.name}`.")
    return [] if state.restarting else [AppRestartRequested(name=state.name)]


def handle(command: RestartApp, ctx: NodeContext) -> App:
    world, stream = ctx.ports.world, f"app:{command.app}"
    state = world.app(command.app)
    for fact in decide(state):
        ctx.emit(stream, fact, target=command.app, expect=world.version(stream))
        state = evolve(state, fact, happening(ctx))
    return app_view(state, ctx.ports)
