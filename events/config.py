"""Variables and secrets, of a network for all its apps or of one app: facts in the streams of both.

A change is one fact, with what was before. Of a secret it holds the version and a keyed digest, never the value.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from events.base import Fact, Happened


class SecretRef(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a secret: equal digests are equal values, and nothing else can be told from them."""

    version: int
    digest: str


class Supplied(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a release has besides `[env]` of rig.toml, by layer and name.

    ``network`` and ``app`` are what was set on the platform; ``environment`` is `[environments.NAME.env]` of rig.toml,
    and ``release`` what one deployment alone was given.
    """

    vars: dict[str, dict[str, str]] = {}
    secrets: dict[str, dict[str, SecretRef]] = {}
    memory: dict[str, int] = {}
    """Limits of memory that were set for the app, as `events.app.AppLimited` has them; they win over rig.toml's."""


class VarsChanged(Fact, frozen=True, kw_only=True):
    """Variables were set or removed, all at once."""

    type: ClassVar[str] = "var.changed"

    scope: str
    """``network`` or ``network/app``."""
    set: dict[str, str] = {}
    removed: list[str] = []
    before: dict[str, str] = {}
    """The values that they had, of those that were there."""


class SecretsChanged(Fact, frozen=True, kw_only=True):
    """Secrets were set or removed, all at once."""

    type: ClassVar[str] = "secret.changed"

    scope: str
    set: dict[str, SecretRef] = {}
    removed: list[str] = []
    before: dict[str, SecretRef] = {}


class SecretsRead(Fact, frozen=True, kw_only=True):
    """Values of secrets were shown to somebody."""

    type: ClassVar[str] = "secret.read"

    scope: str
    names: list[str]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A variable or a secret as it is now: ``ref`` is there for a secret, and ``value`` empty."""

    value: str = ""
    ref: SecretRef | None = None
    set_at: int = 0
    set_by: str = ""


class ConfigState(msgspec.Struct, frozen=True, kw_only=True):
    """The variables and secrets of one network or app."""

    revision: int = 0
    """How often they were changed. It is the version of a secret's new value, too, so that none is used twice."""
    settings: dict[str, Setting] = {}

    @property
    def vars(self) -> dict[str, str]:
        return {name: setting.value for name, setting in self.settings.items() if setting.ref is None}

    @property
    def secrets(self) -> dict[str, SecretRef]:
        return {name: setting.ref for name, setting in self.settings.items() if setting.ref is not None}


def evolve(state: ConfigState, fact: Fact, happened: Happened, *, owned: bool = False) -> ConfigState:
    """Fold one fact into the state; for ``owned`` see :func:`events.app.evolve`."""
    made: dict[str, Setting] = {}
    stamped = Setting(set_at=happened.at, set_by=happened.actor)
    match fact:
        case VarsChanged():
            made = {name: msgspec.structs.replace(stamped, value=value) for name, value in fact.set.items()}
        case SecretsChanged():
            made = {name: msgspec.structs.replace(stamped, ref=ref) for name, ref in fact.set.items()}
        case _:
            return state
    # Whatever was never changed may be the default, which all states share.
    settings = state.settings if owned and state.revision else state.settings.copy()
    for name in fact.removed:
        settings.pop(name, None)
    settings.update(made)
    return ConfigState(revision=state.revision + 1, settings=settings)
