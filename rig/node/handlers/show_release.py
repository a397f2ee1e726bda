"""Show one release."""

from __future__ import annotations

from rig.contract.releases import Release, ShowRelease
from rig.node.ports import NodeContext
from rig.node.releases import find_release
from rig.node.views import release_view


def handle(command: ShowRelease, ctx: NodeContext) -> Release:
    state = ctx.ports.world.app(command.app)
    find_release(state, command.version)
    return release_view(state, command.version, ctx.ports)
