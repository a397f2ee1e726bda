"""Make a max.toml of what other tools read."""

from __future__ import annotations

import os

import msgspec

from handlers.foreign import reader_of
from rig.contract.configuration import AppTable, ConfigDocument, Configuration, ImportConfig
from rig.contract.names import suggest_label
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError


def handle(command: ImportConfig, ctx: ClientContext) -> ConfigDocument:
    project = ctx.ports.project(".")
    network = command.network or project.network or ""
    if not network:
        raise RigError("usage", "For which network is it?", "Name it: `--network NETWORK`.")
    apps: dict[str, AppTable] = {}
    for path in command.files:
        data = ctx.ports.inputs.file(path)
        try:
            read = reader_of(path)(data)
        except RigError as error:
            error.message = f"{path}: {error.message}"
            raise
        for warning in read.warnings:
            ctx.warn(f"{path}: {warning}")
        for label, table in read.apps.items():
            name = (command.app or label) if len(read.apps) == 1 else label
            name = name or project.app or suggest_label(os.path.basename(os.path.dirname(os.path.abspath(path))))
            apps[name or "app"] = merged(apps.get(name or "app", AppTable()), table)
    configuration = Configuration(network=network, apps=apps)
    return ConfigDocument(configuration=configuration, secrets=commands(configuration))


def merged(first: AppTable, second: AppTable) -> AppTable:
    """What two files say of one app; the later one wins."""
    return msgspec.structs.replace(
        first,
        env={name: value for name, value in first.env.items() if name not in second.secrets} | second.env,
        secrets={name: pin for name, pin in first.secrets.items() if name not in second.env} | second.secrets,
        processes={**first.processes, **second.processes},
    )


def commands(configuration: Configuration) -> list[str]:
    """What has to be typed, since the file holds no values of secrets."""
    return [
        f"rig create secret {configuration.network}/{app} {name}"
        for app, table in configuration.apps.items()
        for name in table.secrets
    ]
