"""Show an app, as it is or as it was."""

from __future__ import annotations

import re

from rig.contract.apps import App, ShowApp
from rig.kernel.apps import served_from, state_at
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.times import instant
from rig.node.ports import NodeContext
from rig.node.views import app_view


def handle(command: ShowApp, ctx: NodeContext) -> App:
    if not command.at:
        return app_view(ctx.ports.world.app(command.app), ctx.ports)
    records = ctx.journal.stream(f"app:{command.app}")
    if re.fullmatch(r"v[0-9]+", command.at):
        at = served_from(records, int(command.at[1:]))
    else:
        at = instant(command.at, ctx.stamp.at, "at")
    state = state_at(records, at)
    if not at or not state.exists:
        raise RigError("not_found", f"There was no app `{command.app}` then.", "`rig list apps` shows those of now.")
    return app_view(state, ctx.ports, rfc3339(at))
