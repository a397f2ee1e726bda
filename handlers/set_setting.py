"""Change one setting."""

from __future__ import annotations

from rig.contract.settings import SetSetting, SettingValue
from rig.kernel.client import ClientContext


def handle(command: SetSetting, ctx: ClientContext) -> SettingValue:
    settings = ctx.ports.settings
    if command.key == "context" and command.value:
        ctx.ports.contexts.find(command.value)
    now = settings.set(command.key, command.value)
    if now.origin in {"environment", "flag"}:
        ctx.warn(f"It is `{now.value}` here all the same: {now.where} has the last word.")
    return now
