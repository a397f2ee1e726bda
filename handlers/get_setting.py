"""Show one setting."""

from __future__ import annotations

from rig.contract.settings import GetSetting, SettingValue
from rig.kernel.client import ClientContext


def handle(command: GetSetting, ctx: ClientContext) -> SettingValue:
    return ctx.ports.settings.show(command.key)
