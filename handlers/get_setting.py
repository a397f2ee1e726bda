"""Show one setting."""

from __future__ import annotations

from rig.contract.settings import GetSetting, SettingValue
from rig.kernel.client import ClientContext


def handle(command: GetSetting, ctx: ClientContext) -> SettingValue:
    found = ctx.ports.settings.show(command.key)
    if command.origin:
        ctx.ports.terminal.note(f"From {found.origin} {found.where}".rstrip() + ".")
    return found
