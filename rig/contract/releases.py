"""Releases: what was deployed, when, by whom, from which source, and how it ended."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from events.config import Supplied
from events.release import Promoted
from rig.contract.apps import AppName
from rig.contract.base import After, Command, Effect, Filters, Limit, Page, Reply, arg, opt, wire
from rig.contract.names import LABEL_PATTERN, VERSION_PATTERN, Digest, optional
from rig.contract.project import AppConfig
from rig.contract.variables import EnvVars

Outcome = Literal["pending", "succeeded", "failed"]
Phase = Literal["queued", "building", "releasing", "starting", "checking", "switching", "done"]

Message = Annotated[str, Meta(max_length=500), opt("Why; kept with the release.", "--message", "-m", metavar="TEXT")]
Version = Annotated[str, Meta(pattern=optional(VERSION_PATTERN)), arg("A release, as v3.", metavar="[VERSION]")]


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the source came from. ``dirty`` means that it differs from ``commit``."""

    commit: Annotated[str, Meta(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$(?!\n)")] = ""
    committed_at: Annotated[str, Meta(pattern=r"^([0-9-]{10}T[0-9:]{8}(\.[0-9]{1,9})?Z)?$(?!\n)")] = ""
    branch: Annotated[str, Meta(max_length=255)] = ""
    dirty: bool = False
    subject: Annotated[str, Meta(max_length=200)] = ""
    """First line of the commit message."""


class Release(Reply, frozen=True, kw_only=True):
    """One release ``vN`` of an app: bundle + build + variables + secrets + process configuration."""

    app: str
    version: int
    outcome: Outcome
    phase: Phase
    current: bool = False
    """Whether it is the one that serves."""
    rollbackable: bool = False
    """Whether `rig rollback` can bring it back: it served, and its build was not collected."""
    url: str = ""
    created_at: str = ""
    finished_at: str = ""
    created_by: str = ""
    message: str = ""
    bundle: str = ""
    build: str = ""
    rebuilt: bool = False
    """Whether this release ran a build, or took one that was there."""
    built_by: int = 0
    """The release of this app that ran the build, 0 while that is not known, and for one that was promoted."""
    source: SourceInfo = SourceInfo()
    config: AppConfig = AppConfig()
    supplied: Supplied = Supplied()
    """Variables and secrets that it has besides those of rig.toml; not told in lists."""
    environment: str = ""
    """The `[environments.NAME]` of rig.toml that it was deployed with, empty for none."""
    overrides: list[str] = []
    """Names of the variables that it alone has: those of `rig deploy --var`."""
    processes: dict[str, str] = {}
    """Command line of each process type."""
    changed: list[str] = []
    """What differs from the release that served before: ``source``, ``env.NAME``, ``processes.web`` …"""
    rollback_of: int = 0
    """The release that this one restores, 0 if it is no rollback."""
    promoted: Promoted | None = None
    """The release of another app that it has its build from, if it was promoted."""
    previous: int = 0
    """The release that served when this one began, 0 if none."""
    isolation: str = ""
    code: str = ""
    """Error code of a failed release."""
    reason: str = ""
    hint: str = ""
    output: list[str] = []
    """The last lines of the output that explain a failure."""


class ReleasePage(Page, frozen=True, kw_only=True):
    releases: list[Release] = []
    """Newest first."""
    as_of: str = ""
    """Where the platform could not be reached, or the app was deleted: when its record was seen last, from which this
    is told. It does not say which builds were collected, so ``rollbackable`` is false then."""


class StartRelease(Command, frozen=True, kw_only=True, tag="release.start"):
    """Make a release from a bundle that is on the node. It is accepted at once; ask for it until it is done."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "release"
    reply: ClassVar[type[Reply]] = Release

    app: AppName
    bundle: Digest
    config: Annotated[AppConfig, wire("What rig.toml says.")] = AppConfig()
    source: Annotated[SourceInfo, wire("Where the source came from.")] = SourceInfo()
    message: Message = ""
    create: Annotated[bool, wire("Make the app, and its network, where they are missing.")] = False
    force: Annotated[bool, wire("Build even if this bundle was built before.")] = False
    environment: Annotated[
        str, Meta(pattern=optional(LABEL_PATTERN)), wire("The environment of rig.toml that was laid over it.")
    ] = ""
    environment_vars: Annotated[EnvVars, wire("What `[environments.NAME.env]` says.")] = {}
    vars: Annotated[EnvVars, wire("Variables for this release alone.")] = {}


class ShowRelease(Command, frozen=True, kw_only=True, tag="release.show"):
    """Show one release. With ``wait`` the answer is held back until the phase is no longer ``seen``, or it is over."""

    kind: ClassVar[str] = "release"
    reply: ClassVar[type[Reply]] = Release

    app: AppName
    version: Annotated[int, Meta(ge=1), wire("Number of the release.")]
    wait: Annotated[int, Meta(ge=0, le=30), wire("Seconds to wait for a change of phase.")] = 0
    seen: Annotated[str, Meta(max_length=20), wire("The phase that the asker knows.")] = ""


class ListReleases(Command, frozen=True, kw_only=True, tag="release.list"):
    """Show the releases of an app, newest first."""

    kind: ClassVar[str] = "history"
    reply: ClassVar[type[Reply]] = ReleasePage

    app: AppName
    filter: Filters = []
    limit: Limit = 20
    after: After = ""


class RollbackReport(Reply, frozen=True, kw_only=True):
    """What `rig rollback` answers."""

    release: Release
    restored: list[str] = []
    not_restored: list[str] = []
    undo: str = ""
    """The command that takes it back."""


class Rollback(Command, frozen=True, kw_only=True, tag="release.rollback"):
    """Serve an earlier release again: its source, build, variables and processes, as a new release, without a build."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "rollback"
    reply: ClassVar[type[Reply]] = RollbackReport

    app: AppName
    version: Version = ""
    """Empty: the release that served before the one that serves now."""
    message: Message = ""


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    seq: int
    at: str
    text: str
    source: str = ""


class BuildLog(Reply, frozen=True, kw_only=True):
    app: str
    version: int
    lines: list[LogLine] = []
    next: int = 0
    complete: bool = False
    """Whether the build is over, so that nothing will follow."""
    built_by: int = 0
    """The release that ran the build; 0 where none of the app's did, or none has yet."""


class ShowBuildLog(Command, frozen=True, kw_only=True, tag="release.build_log"):
    """Show the kept build output of a release; the newest one's without VERSION."""

    kind: ClassVar[str] = "build-log"
    reply: ClassVar[type[Reply]] = BuildLog

    app: AppName
    version: Version = ""
    after: Annotated[int, Meta(ge=0), wire("Number of lines that the asker has.")] = 0
    limit: Annotated[int, Meta(ge=1, le=10000), wire("At most this many lines.")] = 1000


def version_number(text: str) -> int:
    """``v3`` or ``3`` → 3; an empty text → 0."""
    return int(text.removeprefix("v")) if text else 0
