"""Show the releases of an app."""

from __future__ import annotations

from rig.contract.releases import ListReleases, ReleasePage
from rig.kernel.client import ClientContext, send


def handle(command: ListReleases, ctx: ClientContext) -> ReleasePage:
    return send(ctx, command, ReleasePage)
