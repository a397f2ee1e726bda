"""Apps: what is deployed, where it is served, and how it is doing."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from rig.contract.base import After, Command, Effect, Filters, IfMatch, Limit, Page, Reply, arg, here, opt, wire
from rig.contract.names import APP_PATTERN, LIMIT_PATTERN, ProcessType
from rig.contract.times import Moment

AppName = Annotated[
    str,
    Meta(pattern=APP_PATTERN),
    arg(
        "The app, as network/app; the network may be left out where rig.toml gives it.", metavar="APP", completes="apps"
    ),
]

NoWait = Annotated[bool, here("Do not wait until it is done.", "--no-wait")]
Timeout = Annotated[
    int, Meta(ge=1, le=86400), here("Wait so many seconds at most; the work goes on.", "--timeout", metavar="SECONDS")
]

Limits = Annotated[list[Annotated[str, Meta(pattern=LIMIT_PATTERN)]], Meta(max_length=100)]


class App(Reply, frozen=True, kw_only=True):
    """An app as the node knows it."""

    name: str
    """``network/app``."""
    url: str
    hostname: str
    status: str
    """``empty`` (never deployed), ``live``, ``crashed``, ``stopped`` or ``deploying``."""
    version: int = 0
    """The release that serves, 0 before the first."""
    processes: dict[str, int] = {}
    """How many instances of each process type are wanted; before the first release, those whose number was set."""
    memory: dict[str, int] = {}
    """Bytes that a process may take, by type, of those that are limited; `*` before the first release."""
    limits: dict[str, int] = {}
    """Limits that were set for the app, and not by rig.toml: `*` for all types, 0 for none. They hold from the next
    release on."""
    created_at: str = ""
    created_by: str = ""
    updated_at: str = ""
    at: str = ""
    """The moment of which this is told, from the record; empty for now."""
    deployed_at: str = ""
    """When the release began to serve."""
    deployed_by: str = ""
    message: str = ""
    commit: str = ""
    bundle: str = ""
    promoted_from: str = ""
    """``demo-staging/shop v7``: what the release was promoted from, if it was."""
    environment: str = ""
    """The `[environments.NAME]` of rig.toml that the release was deployed with, empty for none."""
    overrides: list[str] = []
    """Names of the variables that the release alone has: those of `rig deploy --var`."""

    deployment: int = 0
    """The release that is being made, 0 for none."""
    revision: int = 0
    """How often it was decided what it is to be: the ``expect`` of a change."""
    working: str = ""
    """What is being done to it just now: ``starting``, ``stopping``, ``restarting`` or ``scaling``; empty for nothing.
    """


class AppPage(Page, frozen=True, kw_only=True):
    apps: list[App] = []


class Instance(Reply, frozen=True, kw_only=True):
    """One process of an app."""

    name: str
    """``web.1``."""
    version: int
    state: str
    """``starting``, ``up``, ``stopping``, ``backoff``, ``crashed`` or ``exited``."""
    pid: int = 0
    port: int = 0
    started_at: str = ""
    restarts: int = 0
    exit: str = ""
    """How the last run ended: ``exit 1``, ``SIGKILL``; empty while it has not."""
    memory: int = 0
    """Resident bytes of the whole process tree."""


class FailedRelease(Reply, frozen=True, kw_only=True):
    """The newest release of an app, where it was given up: what served before still does."""

    version: int
    code: str
    """Of the error, as ``build_failed``."""
    message: str
    hint: str = ""
    at: str = ""
    by: str = ""
    """Who began it."""
    output: list[str] = []
    """The last lines of what explains it."""
    more: str = ""
    """The command that shows more."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why something did not come off."""

    code: str
    message: str
    hint: str = ""
    output: list[str] = []
    """The last lines of the output that explain it."""


class AppStatus(Reply, frozen=True, kw_only=True):
    """How an app is doing now."""

    app: App
    instances: list[Instance] = []
    isolation: str = ""
    deployment: int = 0
    """The release that is being made right now, 0 if none."""
    phase: str = ""
    failed: FailedRelease | None = None
    """The newest release, if it failed."""
    waiting: int = 0
    """While the phase is ``queued``: how many releases wait on the platform until fewer are being made."""
    trouble: Trouble | None = None
    """Why the app could not be started, stopped, restarted or scaled the last time; null where that went well."""


class CreateApp(Command, frozen=True, kw_only=True, tag="app.create"):
    """Make an app. It is served once something is deployed to it."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "app"
    reply: ClassVar[type[Reply]] = App

    app: AppName
    process: Annotated[
        dict[ProcessType, Annotated[int, Meta(ge=0, le=100)]],
        Meta(max_length=100),
        opt(
            "How many processes of a type run, whatever rig.toml says; may be given more than once.",
            "--process",
            metavar="TYPE=N",
        ),
    ] = {}
    memory: Annotated[
        Limits,
        opt("Memory that each process may take: 512M, or of one type web=1G.", "--memory", metavar="SIZE|TYPE=SIZE"),
    ] = []


class ListApps(Command, frozen=True, kw_only=True, tag="app.list"):
    """List the apps that you may see."""

    kind: ClassVar[str] = "apps"
    reply: ClassVar[type[Reply]] = AppPage

    network: Annotated[str, opt("Only those of this network.", "--network", "-n", completes="networks")] = ""
    filter: Filters = []
    limit: Limit = 100
    after: After = ""


class ShowApp(Command, frozen=True, kw_only=True, tag="app.show"):
    """Show one app: its address, release, processes. With --at as it was then, told from the record alone."""

    kind: ClassVar[str] = "app"
    reply: ClassVar[type[Reply]] = App

    app: AppName
    at: Annotated[
        Moment, opt("As it was then, UTC: 2026-11-01T12:00, mon, 2d for two days ago, v3.", "--at", metavar="TIME")
    ] = ""


class ShowAppStatus(Command, frozen=True, kw_only=True, tag="app.status"):
    """Show how an app is doing: each process with its state, restarts and memory."""

    kind: ClassVar[str] = "app-status"
    reply: ClassVar[type[Reply]] = AppStatus

    app: AppName
    wait: Annotated[int, Meta(ge=0, le=60), wire("Hold the answer back so many seconds while it is worked on.")] = 0


class UpdateApp(Command, frozen=True, kw_only=True, tag="app.update"):
    """Change an app: how many processes of each type run, and how much memory each may take.

    Another limit makes a new release, of the same build.
    """

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "app"
    reply: ClassVar[type[Reply]] = App

    app: AppName
    scale: Annotated[
        dict[str, Annotated[int, Meta(ge=0, le=100)]],
        opt("Wanted number of a process type; may be given more than once.", "--scale", metavar="TYPE=N"),
    ] = {}
    memory: Annotated[
        Limits,
        opt(
            "Memory each process may take: 512M, or of one type web=1G; none for no limit, default for rig.toml's.",
            "--memory",
            metavar="SIZE|TYPE=SIZE",
        ),
    ] = []
    expect: IfMatch = -1
    no_wait: NoWait = False
    timeout: Timeout = 300


class DeleteApp(Command, frozen=True, kw_only=True, tag="app.delete"):
    """Delete an app: stop its processes, free its name and address. Its history stays in the journal."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "app"
    reply: ClassVar[type[Reply]] = App

    app: AppName
    expect: IfMatch = -1


class ProcessControl(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is done to the processes of an app, and how long to wait for it."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "app"
    reply: ClassVar[type[Reply]] = App

    app: AppName
    no_wait: NoWait = False
    timeout: Timeout = 300


class StartApp(ProcessControl, Command, frozen=True, kw_only=True, tag="app.start"):
    """Start an app that was stopped, or what of it was given up as crashed."""


class StopApp(ProcessControl, Command, frozen=True, kw_only=True, tag="app.stop"):
    """Stop an app: its processes end, its address says so. Its scale and releases stay; a deployment starts it, too."""


class RestartApp(ProcessControl, Command, frozen=True, kw_only=True, tag="app.restart"):
    """Replace the processes of an app by new ones, without a gap: the old ones serve until the new ones are healthy."""
