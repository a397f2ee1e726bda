"""Stop an app."""

from __future__ import annotations

from events.app import AppState, AppStopped
from events.base import Fact
from rig.contract.apps import App, StopApp
from rig.kernel.errors import RigError
from rig.node.emitting import emit_app
from rig.node.ports import NodeContext
from rig.node.rules import require_release
from rig.node.views import app_view


def decide(state: AppState) -> list[Fact]:
    """The facts of stopping; none where it is stopped already. Raises `RigError` ``conflict`` or ``locked``."""
    if state.pending:
        raise RigError(
            "locked",
            f"v{state.pending} of `{state.name}` is being made, and would start it again.",
            f"Try again when it is over: `rig history {state.name}`.",
        )
    require_release(state)
    return [] if state.stopped else [AppStopped(name=state.name)]


def handle(command: StopApp, ctx: NodeContext) -> App:
    state = ctx.ports.world.app(command.app)
    return app_view(emit_app(command.app, state, decide(state), ctx), ctx.ports)
