"""Remove variables."""

from __future__ import annotations

from handlers.changing import change
from rig.contract.variables import DeleteVars, VariablesChange
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError


def handle(command: DeleteVars, ctx: ClientContext) -> VariablesChange:
    if not command.names:
        raise RigError("usage", "Which variable?", "Name it, as `rig delete var NETWORK/APP NAME`.")
    return change(
        ctx,
        app=command.app,
        network=command.network,
        detach=command.detach,
        unset_vars=command.names,
        stage=command.stage,
        expect=command.expect,
    )
