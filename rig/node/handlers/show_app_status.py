"""Show how an app is doing."""

from __future__ import annotations

from events.app import AppState
from rig.contract.apps import AppStatus, FailedRelease, ShowAppStatus, Trouble
from rig.kernel.errors import RigError
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


def trouble(error: RigError | None) -> Trouble | None:
    """Why the last thing that was done to an app did not come off, as it is told."""
    if error is None:
        return None
    output = [str(line) for line in error.details.get("output", [])]
    return Trouble(code=error.code, message=error.message, hint=error.hint, output=output)


def handle(command: ShowAppStatus, ctx: NodeContext) -> AppStatus:
    state, runtime = ctx.ports.world.app(command.app), ctx.ports.runtime
    phase = runtime.phase(command.app) if state.pending else ""
    current = state.serving
    return AppStatus(
        app=app_view(state, ctx.ports),
        instances=runtime.instances(command.app),
        isolation=current.started.isolation if current else ctx.ports.isolation,
        deployment=state.pending,
        phase=phase,
        failed=failed(state),
        waiting=runtime.waiting() if phase == "queued" else 0,
        trouble=trouble(runtime.problem(command.app)),
    )
