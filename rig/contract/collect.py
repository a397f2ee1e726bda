"""Collecting garbage on a node: what its apps do not need any more."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from rig.contract.base import Command, Effect, Reply, opt

Thing = Literal[
    "build", "layer", "cache", "log", "access", "app", "network", "contents", "directories", "upload", "segment"
]
"""``layer``: installed dependencies. ``cache``: what pip or npm have downloaded. ``app`` and ``network``: what is left
of one that was deleted; ``access``: of the access log of one. ``contents``, ``directories`` and ``upload``: of sources.
``segment``: a file of sources of which most is garbage; the rest of it is written anew."""


class Garbage(Reply, frozen=True, kw_only=True):
    """Something that the node does not need, with the reason; of what stays, the reason why."""

    what: Thing
    app: str
    """``network/app``, or a network for what its apps share."""
    name: str = ""
    """Which one, where there may be several."""
    reason: str
    count: int = 1
    bytes: int = 0
    """On the disk, as far as it could be measured in time."""


class Collection(Reply, frozen=True, kw_only=True):
    """What was collected, or would be."""

    dry_run: bool
    bytes: int
    garbage: list[Garbage]
    """What goes."""
    kept: list[Garbage] = []
    """What stays, with --dry-run; not measured."""
    skipped: list[str] = []
    """Apps that were busy, as while a release is made; their turn comes with the next collection."""


class CollectGarbage(Command, frozen=True, kw_only=True, tag="node.gc"):
    """Free the disk of what no release needs that serves, is being made, or can be rolled back to.

    That is builds with their dependencies, downloads of pip and npm, logs of builds, and sources. The node does it by
    itself, too, once a day and after deployments.
    """

    effect: ClassVar[Effect] = "change"
    look: ClassVar[str] = "dry_run"
    kind: ClassVar[str] = "gc"
    reply: ClassVar[type[Reply]] = Collection

    dry_run: Annotated[bool, opt("Show what would go, and remove nothing.", "--dry-run")] = False
    keep: Annotated[
        int,
        Meta(ge=1, le=1000),
        opt("How many releases of each app can be rolled back to: the newest that succeeded.", "--keep", metavar="N"),
    ] = 10
    older_than: Annotated[
        str,
        Meta(pattern=r"^[0-9]{1,6}[smhdw]$(?!\n)"),
        opt("Remove nothing that was used within this time, as 12h or 7d.", "--older-than", metavar="AGE"),
    ] = "1d"
