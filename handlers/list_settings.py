"""List the settings."""

from __future__ import annotations

from rig.contract.settings import ListSettings, SettingList
from rig.kernel.client import ClientContext


def handle(command: ListSettings, ctx: ClientContext) -> SettingList:
    settings = ctx.ports.settings
    return SettingList(settings=settings.rows(), file=settings.path, with_origin=command.origin)
