"""Show kept build output."""

from __future__ import annotations

import msgspec

from rig.contract.releases import BuildLog, ShowBuildLog
from rig.kernel.client import ClientContext, send


def handle(command: ShowBuildLog, ctx: ClientContext) -> BuildLog:
    """Ask page by page until there is no more."""
    log = send(ctx, command, BuildLog)
    lines, page = list(log.lines), log
    while page.lines and not page.complete and len(page.lines) >= command.limit:
        ask = msgspec.structs.replace(command, version=f"v{log.version}", after=page.next)
        page = send(ctx, ask, BuildLog)
        lines += page.lines
    return msgspec.structs.replace(page, lines=lines)
