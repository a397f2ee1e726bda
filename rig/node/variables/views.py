"""From resolved variables to the replies of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from events.app import AppState
from events.config import Setting
from events.network import NetworkState
from rig.contract.secrets import Secret
from rig.contract.variables import Layer, Origin, Var
from rig.kernel.ids import rfc3339
from rig.node.variables.resolve import Entry

Settings = Mapping[Origin, Mapping[str, Setting]]
"""Who set what, and when, of the layers that are set on the platform."""


def settings_of(network: NetworkState, app: AppState | None = None) -> Settings:
    settings: dict[Origin, Mapping[str, Setting]] = {"network": network.config.settings}
    return settings if app is None else settings | {"app": app.config.settings}


def layer_view(name: str, entry: Entry, settings: Settings) -> Layer:
    """One value of a name; of a secret only its digest."""
    setting = settings.get(entry.origin, {}).get(name)
    return Layer(
        origin=entry.origin,
        value=entry.value,
        secret=entry.ref is not None,
        digest=entry.ref.digest if entry.ref else "",
        set_by=setting.set_by if setting else "",
        set_at=rfc3339(setting.set_at) if setting else "",
    )


def var_view(name: str, stack: Sequence[Entry], deployed: Entry | None, settings: Settings) -> Var:
    """A name with all its values. ``deployed`` is the one that the release which serves has."""
    shown = [layer_view(name, entry, settings) for entry in stack]
    first = shown[0]
    return Var(
        name=name,
        value=first.value,
        secret=first.secret,
        digest=first.digest,
        origin=first.origin,
        set_by=first.set_by,
        set_at=first.set_at,
        deployed=deployed is not None and (deployed.value, deployed.ref) == (stack[0].value, stack[0].ref),
        stack=shown,
    )


def secret_views(name: str, stack: Sequence[Entry], deployed: Entry | None, settings: Settings) -> list[Secret]:
    """Every secret of a name; what a later layer gives hides those below it."""
    views = []
    for place, entry in enumerate(stack):
        if entry.ref is None:
            continue
        setting = settings.get(entry.origin, {}).get(name)
        views.append(
            Secret(
                name=name,
                digest=entry.ref.digest,
                version=entry.ref.version,
                origin=entry.origin,
                hidden=place > 0,
                set_by=setting.set_by if setting else "",
                set_at=rfc3339(setting.set_at) if setting else "",
                deployed=deployed is not None and deployed.ref == entry.ref,
            )
        )
    return views
