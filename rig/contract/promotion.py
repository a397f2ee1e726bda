"""Promotion: the build that serves one app, as the next release of another one, with that one's own variables."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from rig.contract.apps import AppName
from rig.contract.base import Command, Effect, Reply, arg, opt, wire
from rig.contract.names import APP_PATTERN, VERSION_PATTERN, optional
from rig.contract.releases import Message, Release, SourceInfo

SourceApp = Annotated[
    str,
    Meta(pattern=APP_PATTERN),
    arg("The app whose release is promoted, as network/app.", metavar="SOURCE", completes="apps"),
]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Which release of an app is meant, and what it is made of."""

    app: str
    version: int
    """0: nothing was deployed yet."""
    bundle: str = ""
    build: str = ""
    source: SourceInfo = SourceInfo()
    created_at: str = ""
    created_by: str = ""
    message: str = ""


class VariableDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A variable or secret in which the two differ, by name. It has another value, or there is none, on one side."""

    name: str
    secret: bool = False
    source: bool
    """Whether the source has it."""
    target: bool


class SettingDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A setting of a process, of health or of deployments in which the two differ, or that the promotion changes."""

    key: str
    """``processes.web.count``, ``health.path`` …"""
    source: str | None = None
    target: str | None = None
    then: str | None = None
    """What the target has after the promotion."""


class PromotionPlan(Reply, frozen=True, kw_only=True):
    """What a promotion would do, and how the two apps differ."""

    source: Standing
    target: Standing
    already: bool = False
    """Whether the target serves that build already, with these settings: there is nothing to do."""
    variables: list[VariableDifference] = []
    """In which the source's release and the one that the target will have differ."""
    settings: list[SettingDifference] = []
    changed: list[str] = []
    """What the new release changes in the target: ``source``, ``processes.web`` …"""


class PromotionReport(Reply, frozen=True, kw_only=True):
    """What `rig promote` answers."""

    plan: PromotionPlan
    release: Release | None = None
    """The new release of the target; null where none was made."""
    undo: str = ""
    """The command that takes it back."""


class ShowPromotion(Command, frozen=True, kw_only=True, tag="promotion.show"):
    """Show what promoting a release to an app would do."""

    kind: ClassVar[str] = "promotion-plan"
    reply: ClassVar[type[Reply]] = PromotionPlan

    app: AppName
    source: SourceApp
    version: Annotated[int, Meta(ge=0), wire("Release of the source; 0: the one that serves.")] = 0


class StartPromotion(Command, frozen=True, kw_only=True, tag="promotion.start"):
    """Make a release of an app from the build of another app's. It is accepted at once; ask until it is done."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "release"
    reply: ClassVar[type[Reply]] = Release

    app: AppName
    source: SourceApp
    version: Annotated[int, Meta(ge=1), wire("Release of the source.")]
    seen: Annotated[int, Meta(ge=-1), wire("The target's release that this was decided on; -1: whichever.")] = -1
    message: Message = ""


class Promote(Command, frozen=True, kw_only=True, tag="release.promote"):
    """Serve the build of another app: the very same one, with this app's own variables, secrets and numbers.

    Nothing is built. It shows first how the two differ, and asks.
    """

    effect: ClassVar[Effect] = "change"
    look: ClassVar[str] = "plan"
    kind: ClassVar[str] = "promotion"
    reply: ClassVar[type[Reply]] = PromotionReport

    source: SourceApp
    app: Annotated[
        str,
        Meta(pattern=APP_PATTERN),
        arg("The app that gets it; else the one in rig.toml.", metavar="[TARGET]", completes="apps"),
    ]
    release: Annotated[
        str,
        Meta(pattern=optional(VERSION_PATTERN)),
        opt("A release of the source other than the one that serves, as v3.", "--release", metavar="VERSION"),
    ] = ""
    message: Message = ""
    plan: Annotated[bool, opt("Show how the two differ, and change nothing.", "--plan")] = False
    yes: Annotated[bool, opt("Do not ask.", "--yes", "-y")] = False
