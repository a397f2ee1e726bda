"""Compare a file with what is live and what was applied last."""

from __future__ import annotations

from handlers.planning import plan, read, shown
from rig.contract.configuration import ConfigPlan, DiffConfig
from rig.kernel.client import ClientContext


def handle(command: DiffConfig, ctx: ClientContext) -> ConfigPlan:
    return shown(plan(*read(command.file, ctx)), values=command.show_values)
