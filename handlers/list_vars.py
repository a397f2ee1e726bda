"""List variables."""

from __future__ import annotations

import msgspec

from rig.contract.variables import ListNetworkVars, ListVars, VarPage
from rig.kernel.client import ClientContext, send


def handle(command: ListVars, ctx: ClientContext) -> VarPage:
    if command.network:
        ask = ListNetworkVars(name=command.network, filter=command.filter, limit=command.limit, after=command.after)
        page = send(ctx, ask, VarPage)
    else:
        page = send(ctx, command, VarPage)
    if command.origin:
        return page
    return msgspec.structs.replace(page, vars=[msgspec.structs.replace(var, stack=[]) for var in page.vars])
