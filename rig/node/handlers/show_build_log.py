"""Show kept build output."""

from __future__ import annotations

from rig.contract.releases import BuildLog, ShowBuildLog, version_number
from rig.kernel.apps import built_by
from rig.kernel.errors import RigError
from rig.node.ports import NodeContext
from rig.node.releases import find_release


def handle(command: ShowBuildLog, ctx: NodeContext) -> BuildLog:
    state = ctx.ports.world.app(command.app)
    version = version_number(command.version) or state.last
    if not version:
        raise RigError(
            "not_found", f"`{command.app}` was never deployed.", f"Deploy it: `rig deploy --app {command.app}`."
        )
    release = find_release(state, version)
    lines, complete = ctx.ports.build_logs.lines(command.app, version, command.after, command.limit)
    return BuildLog(
        app=command.app,
        version=version,
        lines=lines,
        next=command.after + len(lines),
        complete=complete,
        built_by=built_by(state, release.build),
    )
