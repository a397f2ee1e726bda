"""Delete an app."""

from __future__ import annotations

from events.app import AppDeleted, AppState
from events.base import Fact
from rig.contract.apps import App, DeleteApp
from rig.contract.names import split_app
from rig.kernel.errors import RigError
from rig.node.emitting import emit_app
from rig.node.ports import NodeContext
from rig.node.rules import require_unprotected
from rig.node.since import APPS, require_match
from rig.node.views import app_view


def decide(state: AppState) -> list[Fact]:
    """The facts of deleting an app. Raises `RigError` ``locked`` while a release is being made."""
    if state.pending:
        raise RigError(
            "locked",
            f"`{state.name}` cannot be deleted while release v{state.pending} is being made.",
            f"Watch it with `rig status app {state.name}`, and try again when it is done.",
        )
    return [AppDeleted(name=state.name)]


def handle(command: DeleteApp, ctx: NodeContext) -> App:
    world = ctx.ports.world
    state = world.app(command.app)
    require_match(APPS, f"app:{command.app}", command.app, state.revision, command.expect, ctx)
    require_unprotected(world.network(split_app(command.app)[0]), f"`{command.app}`")
    view = app_view(state, ctx.ports)
    emit_app(command.app, state, decide(state), ctx)
    return view
