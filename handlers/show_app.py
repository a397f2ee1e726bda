"""Show an app, as it is or as it was."""

from __future__ import annotations

from urllib.parse import urlsplit

from handlers.past import past
from rig.contract.apps import App, ShowApp
from rig.kernel.apps import app_of, url_of
from rig.kernel.client import ClientContext, send
from rig.kernel.ids import rfc3339


def handle(command: ShowApp, ctx: ClientContext) -> App:
    if not command.at:
        return send(ctx, command, App)
    known = past(command.app, ctx)
    at = known.moment(command.at, ctx.stamp.at, "--at")
    state = known.state(at)
    url = url_of([record for record in known.records if record.at <= at])
    return app_of(state, url=url, hostname=urlsplit(url).hostname or "", at=rfc3339(at))
