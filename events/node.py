"""The stream of the node itself, ``node``: when it ran, and how."""

from __future__ import annotations

from typing import ClassVar

from events.base import Fact


class NodeStarted(Fact, frozen=True, kw_only=True):
    """The node is up: it has taken over what ran, and answers."""

    type: ClassVar[str] = "node.started"

    version: str
    isolation: str
    domain: str


class NodeStopped(Fact, frozen=True, kw_only=True):
    """The node ended as it was asked to. ``apps``: its apps and the edge were stopped with it."""

    type: ClassVar[str] = "node.stopped"

    apps: bool = False


class NodeCollected(Fact, frozen=True, kw_only=True):
    """The node freed its disk of what no kept release needs."""

    type: ClassVar[str] = "node.collected"

    bytes: int
    counts: dict[str, int] = {}
    """How many of each kind, as ``build`` or ``layer``."""
    keep: int = 0
    """How many releases of each app could be rolled back to by the policy."""
    older_than: int = 0
    """Seconds: nothing that was used within them went."""


class NodeKeysRotated(Fact, frozen=True, kw_only=True):
    """The keys under which secrets are kept were replaced, and every value was encrypted anew."""

    type: ClassVar[str] = "node.keys_rotated"

    values: int
    forgotten: int = 0
    """Values that were forgotten, because their key was lost."""
