"""What `rig config diff` and `rig config apply` share: the file, what is live, and the differences."""

from __future__ import annotations

import msgspec

from rig.contract.configuration import ConfigChange, ConfigPlan, Configuration, NetworkConfig, ShowNetworkConfig
from rig.kernel.client import ClientContext
from rig.kernel.configuration import compare, parts, redacted


def read(file: str, ctx: ClientContext) -> tuple[Configuration, NetworkConfig]:
    """The file, and the network that it names as it is now. Raises `RigError`."""
    document = ctx.ports.configuration(file)
    ctx.target = document.network
    ask = ShowNetworkConfig(network=document.network)
    return document, ctx.ports.platform.call(ask, NetworkConfig, corr=ctx.stamp.corr)


def plan(document: Configuration, now: NetworkConfig) -> ConfigPlan:
    """The differences, with who made those that nobody applied."""
    drifted = {change.key: change for change in now.drift}
    changes = [
        msgspec.structs.replace(change, set_by=drifted[change.key].set_by, set_at=drifted[change.key].set_at)
        if change.drift and change.key in drifted
        else change
        for change in compare(document, now.applied, now.live, now.wanted)
    ]
    return ConfigPlan(network=now.network, changes=changes, applied_at=now.applied_at, applied_by=now.applied_by)


def shown(found: ConfigPlan, *, values: bool) -> ConfigPlan:
    """The plan as it may be seen: without the values of variables, unless they were asked for."""
    return found if values else msgspec.structs.replace(found, changes=redacted(found.changes))


def missing_secrets(network: str, changes: list[ConfigChange]) -> list[str]:
    """The commands that set the secrets that are not there."""
    commands = []
    for change in changes:
        if change.action == "missing":
            app, _, name = parts(change.key)
            commands.append(f"rig create secret {f'{network}/{app}' if app else f'--network {network}'} {name}")
    return commands
