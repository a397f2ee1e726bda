"""The past of an app, told from the record alone: what changed between two moments, and who changed what."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rig.contract.apps import AppName
from rig.contract.base import Command, Reply, arg, opt
from rig.contract.names import VERSION_PATTERN, optional
from rig.contract.times import Moment

Absent = Literal["", "not_yet", "unrecorded", "deleted"]
"""Why there was no app at a moment; empty where there was one."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that differs. A side that is null does not have it."""

    key: str
    """``source``, ``env.NAME``, ``processes.web.command``, ``scale.web`` …; ``app`` where one side has none."""
    before: str | None = None
    after: str | None = None


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two that are compared."""

    version: int
    """The release; 0 where none served."""
    at: str = ""
    """The moment that was asked for; empty where a release was."""
    absent: Absent = ""
    """``not_yet``: the app was made later; ``unrecorded``: the record does not tell of it yet; ``deleted`` by then.
    The other side is compared with nothing then. Empty where the app was there."""
    served_at: str = ""
    """When the release began to serve; empty if it never did."""
    created_by: str = ""
    message: str = ""
    commit: str = ""


class AppDiff(Reply, frozen=True, kw_only=True):
    """What differs between two releases, or two moments, of an app."""

    app: str
    older: Side
    newer: Side
    changes: list[Change] = []
    record: str
    """``observed``: the replica of the platform's record; ``local``: what was done with rig from here."""


class DiffReleases(Command, frozen=True, kw_only=True, tag="release.diff"):
    """Show what differs between two releases of an app, or between two moments of its life.

    Without anything it is the release that serves and the one before it. At a moment when there was no app, the
    other one is compared with nothing.
    """

    kind: ClassVar[str] = "diff"
    reply: ClassVar[type[Reply]] = AppDiff

    app: AppName
    older: Annotated[str, Meta(pattern=optional(VERSION_PATTERN)), arg("A release, as v3.", metavar="[OLDER]")] = ""
    newer: Annotated[
        str, Meta(pattern=optional(VERSION_PATTERN)), arg("Another one; else what serves.", metavar="[NEWER]")
    ] = ""
    at: Annotated[
        Moment, opt("From this moment, UTC: 2026-11-01T12:00, mon, 2d for two days ago, v3.", metavar="TIME")
    ] = ""
    to: Annotated[Moment, opt("To this one; else now.", metavar="TIME")] = ""
    detailed_exitcode: Annotated[bool, opt("Exit with 2 where something differs.", "--detailed-exitcode")] = False


class Blamed(msgspec.Struct, frozen=True, kw_only=True):
    """One key, and who set it to what it is, or was."""

    key: str
    value: str | None = None
    """Null: it was taken away."""
    at: str
    by: str
    version: int = 0
    """The release that brought it, 0 if none did."""


class Blame(Reply, frozen=True, kw_only=True):
    """Who set what."""

    app: str
    record: str
    """As in ``diff``."""
    keys: list[Blamed] = []


class BlameApp(Command, frozen=True, kw_only=True, tag="app.blame"):
    """Show who set the configuration of an app, when and with which release; of one key, all who ever did."""

    kind: ClassVar[str] = "blame"
    reply: ClassVar[type[Reply]] = Blame

    app: AppName
    key: Annotated[
        str,
        Meta(max_length=300),
        arg("A variable, or a key as `rig diff` names it; all there are, if not given.", metavar="[KEY]"),
    ] = ""
