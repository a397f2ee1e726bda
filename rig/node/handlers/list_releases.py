"""List the releases of an app."""

from __future__ import annotations

import msgspec

from rig.contract.releases import ListReleases, Release, ReleasePage
from rig.kernel.apps import releases_of
from rig.node.ports import NodeContext
from rig.node.releases import NOTHING
from rig.node.views import release_view


def handle(command: ListReleases, ctx: NodeContext) -> ReleasePage:
    state = ctx.ports.world.app(command.app)

    def shown(version: int) -> Release:
        return msgspec.structs.replace(release_view(state, version, ctx.ports), supplied=NOTHING)

    return releases_of(state, command, shown)
