"""The stream of one network, ``network:NAME``."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from events import config
from events.base import Fact, Happened
from events.config import ConfigState, SecretsChanged, VarsChanged


class NetworkCreated(Fact, frozen=True, kw_only=True):
    """A network was made."""

    type: ClassVar[str] = "network.created"

    name: str


class NetworkUpdated(Fact, frozen=True, kw_only=True):
    """What is said of a network was changed; null is what was not."""

    type: ClassVar[str] = "network.updated"

    name: str
    description: str | None = None
    protected: bool | None = None


class NetworkDeleted(Fact, frozen=True, kw_only=True):
    """A network was deleted with its variables, its secrets and the roles in it."""

    type: ClassVar[str] = "network.deleted"

    name: str


class NetworkConfigured(Fact, frozen=True, kw_only=True):
    """A document was applied. What it changed stands in facts of its own, in the same append."""

    type: ClassVar[str] = "network.configured"

    name: str
    document: dict[str, Any]
    """The contract's ``Configuration``: values of variables, and digests of secrets."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The document that was applied last."""

    document: dict[str, Any]
    at: int = 0
    by: str = ""


class NetworkState(msgspec.Struct, frozen=True, kw_only=True):
    """What a network is now. ``exists`` is false before the first ``network.created`` and after the last deletion."""

    name: str = ""
    exists: bool = False
    created_at: int = 0
    created_by: str = ""
    config: ConfigState = ConfigState()
    """The variables and secrets that its apps inherit."""
    applied: Applied | None = None
    description: str = ""
    protected: bool = False
    """Whether neither it nor one of its apps can be deleted."""
    revision: int = 0
    """How often it was decided what it is to be. It goes on counting if the network is deleted and made anew."""


def evolve(state: NetworkState, fact: Fact, happened: Happened, *, owned: bool = False) -> NetworkState:
    """Fold one fact into the state; for ``owned`` see :func:`events.app.evolve`."""
    change, revision = msgspec.structs.replace, state.revision + 1
    match fact:
        case NetworkCreated():
            return NetworkState(
                name=fact.name, exists=True, created_at=happened.at, created_by=happened.actor, revision=revision
            )
        case NetworkUpdated():
            told = {"description": fact.description, "protected": fact.protected}
            given = {field: value for field, value in told.items() if value is not None}
            return change(state, **given, revision=revision)
        case NetworkDeleted():
            return NetworkState(name=fact.name, revision=revision)
        case VarsChanged() | SecretsChanged():
            settings = config.evolve(state.config, fact, happened, owned=owned)
            return change(state, config=settings, revision=revision)
        case NetworkConfigured():
            applied = Applied(document=fact.document, at=happened.at, by=happened.actor)
            return change(state, applied=applied, revision=revision)
    return state
