"""Start an app that was stopped."""

from __future__ import annotations

from events.app import AppStarted, AppState
from events.base import Fact
from rig.contract.apps import App, StartApp
from rig.node.emitting import emit_app
from rig.node.ports import NodeContext
from rig.node.rules import require_release
from rig.node.views import app_view


def decide(state: AppState, *, failed: bool = False) -> list[Fact]:
    """The facts of starting; none where all of it runs. ``failed``: the last try did not come off.

    Raises `RigError` ``conflict`` where there is nothing yet.
    """
    require_release(state)
    return [AppStarted(name=state.name)] if state.stopped or state.crashed or failed else []


def handle(command: StartApp, ctx: NodeContext) -> App:
    state = ctx.ports.world.app(command.app)
    facts = decide(state, failed=ctx.ports.runtime.problem(command.app) is not None)
    return app_view(emit_app(command.app, state, facts, ctx), ctx.ports)
