"""Show how an app is doing."""

from __future__ import annotations

from rig.contract.apps import AppStatus, ShowAppStatus
from rig.node.ports import NodeContext
from rig.node.views import app_view


def handle(command: ShowAppStatus, ctx: NodeContext) -> AppStatus:
    state = ctx.ports.world.app(command.app)
    current = state.releases.get(state.current)
    return AppStatus(
        app=app_view(state, ctx.ports),
        instances=ctx.ports.runtime.instances(command.app),
        isolation=current.started.isolation if current else ctx.ports.isolation,
        deployment=state.pending,
        phase=ctx.ports.runtime.phase(command.app) if state.pending else "",
    )
