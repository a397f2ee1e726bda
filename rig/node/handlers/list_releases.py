"""List the releases of an app."""

from __future__ import annotations

import msgspec

from rig.contract.releases import ListReleases, ReleasePage
from rig.kernel.errors import RigError
from rig.node.ports import NodeContext
from rig.node.releases import NOTHING
from rig.node.views import release_view


def handle(command: ListReleases, ctx: NodeContext) -> ReleasePage:
    state = ctx.ports.world.app(command.app)
    if command.after and not command.after.isdecimal():
        raise RigError("invalid_data", f"`{command.after}` is not where a page ended.")
    below = int(command.after) if command.after else state.last + 1
    versions = [version for version in sorted(state.releases, reverse=True) if version < below]
    page = versions[: command.limit]
    return ReleasePage(
        releases=[msgspec.structs.replace(release_view(state, v, ctx.ports), supplied=NOTHING) for v in page],
        next=str(page[-1]) if len(versions) > len(page) else "",
    )
