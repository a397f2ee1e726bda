"""Show how an app is doing."""

from __future__ import annotations

from events.app import AppState
from rig.contract.apps import AppStatus, FailedRelease, ShowAppStatus
from rig.kernel.ids import rfc3339
from rig.node.ports import NodeContext
from rig.node.views import app_view

LOGGED = ("build_failed", "release_failed")
"""Failures of which the whole output is kept."""


def failed(state: AppState) -> FailedRelease | None:
    """The newest release, if it was given up."""
    release = state.releases.get(state.last)
    if release is None or release.failure is None:
        return None
    failure = release.failure
    kept = failure.code in LOGGED
    return FailedRelease(
        version=state.last,
        code=failure.code,
        message=failure.reason,
        hint=failure.hint,
        at=rfc3339(release.finished_at),
        by=release.created_by,
        output=failure.output,
        more=f"rig logs build {state.name} v{state.last}" if kept else f"rig history {state.name}",
    )


def handle(command: ShowAppStatus, ctx: NodeContext) -> AppStatus:
    state = ctx.ports.world.app(command.app)
    current = state.releases.get(state.current)
    return AppStatus(
        app=app_view(state, ctx.ports),
        instances=ctx.ports.runtime.instances(command.app),
        isolation=current.started.isolation if current else ctx.ports.isolation,
        deployment=state.pending,
        phase=ctx.ports.runtime.phase(command.app) if state.pending else "",
        failed=failed(state),
    )
