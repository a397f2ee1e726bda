"""Show one variable: one row of the list, with all that it hides."""

from __future__ import annotations

from rig.contract.variables import ListNetworkVars, ListVars, ShowVar, Var, VarPage
from rig.kernel.client import ClientContext, send
from rig.kernel.errors import RigError
from rig.kernel.words import whose


def handle(command: ShowVar, ctx: ClientContext) -> Var:
    if not command.name:
        raise RigError("usage", "Which variable?", "Name it, as `rig details var NETWORK/APP NAME`.")
    only = [f"name={command.name}"]
    of_network = ListNetworkVars(name=command.network, filter=only, limit=1)
    page = send(ctx, of_network if command.network else ListVars(app=command.app, filter=only, limit=1), VarPage)
    if not page.vars:
        raise RigError(
            "not_found",
            f"There is no variable `{command.name}` of `{command.network or command.app}`.",
            f"`rig list vars {whose(command.app, command.network)}` shows those there are.",
        )
    return page.vars[0]
