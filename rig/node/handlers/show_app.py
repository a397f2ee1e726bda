"""Show an app."""

from __future__ import annotations

from rig.contract.apps import App, ShowApp
from rig.node.ports import NodeContext
from rig.node.views import app_view


def handle(command: ShowApp, ctx: NodeContext) -> App:
    return app_view(ctx.ports.world.app(command.app), ctx.ports)
