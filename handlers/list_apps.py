"""List apps."""

from __future__ import annotations

from rig.contract.apps import AppPage, ListApps
from rig.kernel.client import ClientContext, send


def handle(command: ListApps, ctx: ClientContext) -> AppPage:
    return send(ctx, command, AppPage)
