"""Replace the processes of an app by new ones."""

from __future__ import annotations

from events.app import AppRestartRequested, AppState
from events.base import Fact
from rig.contract.apps import App, RestartApp
from rig.kernel.errors import RigError
from rig.node.emitting import emit_app
from rig.node.ports import NodeContext
from rig.node.rules import require_release
from rig.node.views import app_view


def decide(state: AppState) -> list[Fact]:
    """The facts of a restart; none while one goes on. Raises `RigError` ``conflict`` where nothing runs."""
    require_release(state)
    if state.stopped:
        raise RigError("conflict", f"`{state.name}` is stopped.", f"Start it: `rig start {state.name}`.")
    return [] if state.restarting else [AppRestartRequested(name=state.name)]


def handle(command: RestartApp, ctx: NodeContext) -> App:
    state = ctx.ports.world.app(command.app)
    return app_view(emit_app(command.app, state, decide(state), ctx), ctx.ports)
