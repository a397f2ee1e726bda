"""Print what is set in a network and its apps as a file."""

from __future__ import annotations

import msgspec

from rig.contract.configuration import (
    DIGEST,
    AppTable,
    ConfigDocument,
    Configuration,
    ExportConfig,
    NetworkConfig,
    ShowNetworkConfig,
)
from rig.kernel.client import ClientContext
from rig.kernel.configtext import toml_of
from rig.kernel.configuration import sizes_of

LENGTH = len(DIGEST) + 12
"""Characters of a digest: enough to see whether a value is the same."""


def decide(live: Configuration) -> Configuration:
    """The document that a file holds: the beginnings of digests are enough to know a value again."""

    def short(secrets: dict[str, str]) -> dict[str, str]:
        return {name: digest[:LENGTH] for name, digest in sorted(secrets.items())}

    def table(app: AppTable) -> AppTable:
        return AppTable(
            env=dict(sorted(app.env.items())),
            secrets=short(app.secrets),
            processes=dict(sorted(app.processes.items())),
            memory=dict(sorted(sizes_of(app).items())),
        )

    return msgspec.structs.replace(
        live,
        env=dict(sorted(live.env.items())),
        secrets=short(live.secrets),
        apps={name: table(app) for name, app in sorted(live.apps.items())},
    )


def handle(command: ExportConfig, ctx: ClientContext) -> ConfigDocument:
    ask = ShowNetworkConfig(network=command.network)
    now = ctx.ports.platform.call(ask, NetworkConfig, corr=ctx.stamp.corr)
    document = decide(now.live)
    if command.file:
        with ctx.ports.writing(command.file, overwrite=command.overwrite) as write:
            write(toml_of(document))
    return ConfigDocument(configuration=document, file=command.file)
