"""Start an app that was stopped."""

from __future__ import annotations

from events.app import AppStarted, AppState, evolve
from events.base import Fact
from rig.contract.apps import App, StartApp
from rig.node.ports import NodeContext, happening
from rig.node.rules import require_release
from rig.node.views import app_view


def decide(state: AppState, *, failed: bool = False) -> list[Fact]:
    """The facts of starting; none where all of it runs. ``failed``: the last try did not come off.

    Raises `RigError` ``conflict`` where there is nothing yet.
    """
    require_release(state)
    return [AppStarted(name=state.name)] if state.stopped or state.crashed or failed else []


def handle(command: StartApp, ctx: NodeContext) -> App:
    world, stream = ctx.ports.world, f"app:{command.app}"
    state = world.app(command.app)
    for fact in decide(state, failed=ctx.ports.runtime.problem(command.app) is not None):
        ctx.emit(stream, fact, target=command.app, expect=world.version(stream))
        state = evolve(state, fact, happening(ctx))
    return app_view(state, ctx.ports)
