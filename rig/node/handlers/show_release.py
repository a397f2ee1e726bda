"""Show one release."""

from __future__ import annotations

from events.app import AppState, ReleaseState
from rig.contract.releases import Release, ShowRelease
from rig.kernel.errors import RigError
from rig.node.ports import NodeContext
from rig.node.views import release_view


def find_release(state: AppState, version: int) -> ReleaseState:
    """The release ``vN`` of an app. Raises `RigError` ``not_found``."""
    release = state.releases.get(version)
    if release is None:
        raise RigError(
            "not_found", f"`{state.name}` has no release v{version}.", f"`rig history {state.name}` lists them."
        )
    return release


def handle(command: ShowRelease, ctx: NodeContext) -> Release:
    state = ctx.ports.world.app(command.app)
    find_release(state, command.version)
    return release_view(state, command.version, ctx.ports)
