"""What there is to collect, and what was decided about it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

Kind = Literal["build", "layer", "cache", "log", "access", "app", "network"]

CACHE_AGE = 30 * 86_400
"""Seconds after which a download that nobody used goes."""
CACHE_BYTES = 1 << 30
"""How much the download caches of one app may hold."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept for its own sake."""

    keep: int = 10
    """How many of the newest releases of each app that succeeded: those that can be rolled back to."""
    older_than: int = 86_400
    """Seconds; nothing that was used within them goes."""


class Download(NamedTuple):
    """A file in a download cache."""

    path: bytes
    """Relative to the cache."""
    size: int
    used: int
    """Seconds since the epoch."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Something on the disk."""

    kind: Kind
    app: str
    """``network/app``; the network alone where it is one."""
    name: str
    """Id of a build, key of a layer, ``pip``, ``v3.build``; of an access log the hostname."""
    path: Path
    used: int = 0
    """When it was made or last changed, in seconds since the epoch."""
    layers: tuple[str, ...] = ()
    """The layers that a build stands on."""
    version: int = 0
    """The release whose log it is."""
    downloads: tuple[Download, ...] = ()
    """The files of a cache."""
    odd: bool = False
    """Whether a cache is none that pip or npm made: it goes as a whole."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided about one thing, and why."""

    found: Found
    goes: bool
    reason: str
    downloads: tuple[Download, ...] = ()
    """What goes of a cache; nothing here means all of it."""
