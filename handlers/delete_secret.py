"""Remove a secret."""

from __future__ import annotations

from handlers.changing import change
from rig.contract.secrets import DeleteSecret
from rig.contract.variables import VariablesChange
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError


def handle(command: DeleteSecret, ctx: ClientContext) -> VariablesChange:
    if not command.name:
        raise RigError("usage", "Which secret?", "Name it, as `rig delete secret NETWORK/APP NAME`.")
    return change(
        ctx,
        app=command.app,
        network=command.network,
        detach=command.detach,
        unset_secrets=[command.name],
        stage=command.stage,
        expect=command.expect,
    )
