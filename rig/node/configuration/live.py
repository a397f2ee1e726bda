"""What is set in a network and its apps, as a document; and what of it is not as it was applied last."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from events.app import AppState
from events.config import ConfigState, Setting
from events.network import NetworkState
from rig.contract.configuration import DIGEST, AppTable, ConfigChange, Configuration
from rig.contract.networks import Drifted
from rig.kernel.apps import counts_of
from rig.kernel.configuration import drift, parts
from rig.kernel.ids import rfc3339
from rig.kernel.sizes import size_of

Apps = Mapping[str, AppState]
"""The apps of one network that exist, by ``network/app``."""


def document_of(network: NetworkState, apps: Apps) -> Configuration:
    """What is set on the platform, as a file would say it; of secrets their digests."""
    return Configuration(
        network=network.name,
        env=network.config.vars,
        secrets=_digests(network.config),
        apps={_label(name): _table(state) for name, state in apps.items()},
    )


def _table(state: AppState) -> AppTable:
    return AppTable(
        env=state.config.vars,
        secrets=_digests(state.config),
        processes=dict(state.scale),
        memory={process: size_of(limit) for process, limit in state.memory.items()},
    )


def _digests(config: ConfigState) -> dict[str, str]:
    return {name: f"{DIGEST}{ref.digest}" for name, ref in config.secrets.items()}


def _label(app: str) -> str:
    return app.partition("/")[2]


def wanted_of(apps: Apps) -> dict[str, int]:
    """How many processes each deployed app wants now, by key, whoever says so."""
    return {
        f"apps.{_label(name)}.processes.{process}": count
        for name, state in apps.items()
        for process, count in counts_of(state, state.current).items()
    }


def applied_of(network: NetworkState) -> Configuration | None:
    """The document that was applied last; None where there was none, or a newer rig wrote it."""
    if network.applied is None:
        return None
    try:
        return msgspec.convert(network.applied.document, Configuration)
    except msgspec.ValidationError:
        return None


def drift_of(network: NetworkState, apps: Apps) -> list[Drifted]:
    """The keys that were applied and are not so any more, and who changed them, where that still shows."""
    applied = applied_of(network)
    if applied is None:
        return []
    return [_drifted(change, network, apps) for change in drift(applied, document_of(network, apps))]


def _drifted(change: ConfigChange, network: NetworkState, apps: Apps) -> Drifted:
    if change.live is None:
        return Drifted(key=change.key, what="removed")
    app, _, name = parts(change.key)
    config = apps[f"{network.name}/{app}"].config if app else network.config
    setting = config.settings.get(name, Setting())
    return Drifted(key=change.key, what="changed", set_by=setting.set_by, set_at=rfc3339(setting.set_at))
