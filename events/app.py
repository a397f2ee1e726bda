"""The stream of one app, ``app:NETWORK/APP``: the app itself and its releases."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from events import config
from events.base import Fact, Happened, with_item
from events.config import ConfigState, SecretsChanged, Supplied, VarsChanged
from events.release import Promoted


class AppCreated(Fact, frozen=True, kw_only=True):
    """An app was made. Nothing of it runs before its first release."""

    type: ClassVar[str] = "app.created"

    name: str
    """``network/app``."""


class AppDeleted(Fact, frozen=True, kw_only=True):
    """An app was deleted with all that ran of it. What its releases were stays on the record."""

    type: ClassVar[str] = "app.deleted"

    name: str


class AppScaled(Fact, frozen=True, kw_only=True):
    """Wanted numbers of process types were set; they outlive deployments."""

    type: ClassVar[str] = "app.scaled"

    name: str
    scale: dict[str, int]


class AppScaleReset(Fact, frozen=True, kw_only=True):
    """Wanted numbers were let go of: those of rig.toml are in force again."""

    type: ClassVar[str] = "app.scale_reset"

    name: str
    processes: list[str]


class AppLimited(Fact, frozen=True, kw_only=True):
    """The memory that its processes may take was set; it holds from the next release on."""

    type: ClassVar[str] = "app.limited"

    name: str
    memory: dict[str, int] = {}
    """All of its own limits: bytes by process type, `*` for the types that are not named, 0 for no limit."""
    before: dict[str, int] = {}


class AppStopped(Fact, frozen=True, kw_only=True):
    """Nothing of the app is to run, until it is started or deployed."""

    type: ClassVar[str] = "app.stopped"

    name: str


class AppStarted(Fact, frozen=True, kw_only=True):
    """What was stopped, or given up as crashed, is to run again."""

    type: ClassVar[str] = "app.started"

    name: str


class AppRestartRequested(Fact, frozen=True, kw_only=True):
    """The instances of the app are to be replaced by new ones of the same release."""

    type: ClassVar[str] = "app.restart_requested"

    name: str


class AppRestarted(Fact, frozen=True, kw_only=True):
    """New instances of the release get the requests."""

    type: ClassVar[str] = "app.restarted"

    name: str


class AppRestartFailed(Fact, frozen=True, kw_only=True):
    """The new instances were given up; the old ones go on."""

    type: ClassVar[str] = "app.restart_failed"

    name: str
    code: str
    reason: str


class AppCrashed(Fact, frozen=True, kw_only=True):
    """An instance ended too often in too short a time and is not started again."""

    type: ClassVar[str] = "app.crashed"

    name: str
    instance: str
    version: int
    reason: str


class DeployStarted(Fact, frozen=True, kw_only=True):
    """A release was begun and has its number."""

    type: ClassVar[str] = "deploy.started"

    app: str
    version: int
    bundle: str
    config: dict[str, Any] = {}
    """`rig.toml` as the contract's ``AppConfig``."""
    source: dict[str, Any] = {}
    """Commit, branch, dirty, subject."""
    message: str = ""
    changed: list[str] = []
    previous: int = 0
    """The release that served then, 0 if none."""
    rollback_of: int = 0
    force: bool = False
    isolation: str = ""
    supplied: Supplied = Supplied()
    """The variables and secrets that it has besides those of `rig.toml`."""
    environment: str = ""
    """The `[environments.NAME]` of `rig.toml` that was laid over the rest of it, empty for none."""
    promoted: Promoted | None = None
    """The release of another app that it takes its build from."""


LAYERS = ("network", "rig.toml", "environment", "app", "release")
"""Where a variable comes from; a later one wins, as `rig.node.variables.resolve` has it."""


def settings_of(started: DeployStarted) -> dict[str, str]:
    """What a release was configured with, flat: ``env.GREETING``, ``processes.web.command`` … Values are text, those of
    secrets their digests."""
    found: dict[str, str] = {}
    _flatten("", {table: value for table, value in started.config.items() if table != "env"}, found)
    won: dict[str, tuple[str, str]] = {}
    given = started.supplied
    for layer in LAYERS:
        own = started.config.get("env", {}) if layer == "rig.toml" else given.vars.get(layer, {})
        won |= {name: (f"env.{name}", value) for name, value in own.items()}
        won |= {name: (f"secret.{name}", ref.digest) for name, ref in given.secrets.get(layer, {}).items()}
    found |= {memory_key(process): str(limit) for process, limit in given.memory.items()}
    return dict(sorted({**found, **dict(won.values())}.items()))


def memory_key(process: str) -> str:
    """How a limit of memory that was set for an app is named where its settings are told."""
    return "memory" if process == "*" else f"memory.{process}"


def _flatten(prefix: str, value: Any, found: dict[str, str]) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            _flatten(f"{prefix}.{name}" if prefix else name, item, found)
    else:
        found[prefix] = value if isinstance(value, str) else msgspec.json.encode(value).decode()


class DeployBuilt(Fact, frozen=True, kw_only=True):
    """The release has its build, whether it was made for it or found."""

    type: ClassVar[str] = "deploy.built"

    app: str
    version: int
    build: str
    rebuilt: bool = False
    processes: dict[str, str] = {}


class DeploySucceeded(Fact, frozen=True, kw_only=True):
    """The release passed its checks, and the edge sends it the app's requests."""

    type: ClassVar[str] = "deploy.succeeded"

    app: str
    version: int
    bundle: str = ""
    url: str = ""


class DeployFailed(Fact, frozen=True, kw_only=True):
    """The release was given up; what served before still does."""

    type: ClassVar[str] = "deploy.failed"

    app: str
    version: int
    code: str
    reason: str
    hint: str = ""
    output: list[str] = []


class DeployRolledBack(Fact, frozen=True, kw_only=True):
    """An earlier release was restored as a new one."""

    type: ClassVar[str] = "deploy.rolled_back"

    app: str
    version: int
    restored: int


class ReleaseState(msgspec.Struct, frozen=True, kw_only=True):
    """What one release is now. ``outcome`` is ``pending``, ``succeeded`` or ``failed``."""

    started: DeployStarted
    outcome: str = "pending"
    created_at: int = 0
    created_by: str = ""
    finished_at: int = 0
    build: str = ""
    rebuilt: bool = False
    processes: dict[str, str] = {}
    failure: DeployFailed | None = None


class AppState(msgspec.Struct, frozen=True, kw_only=True):
    """What an app is now. Numbers of releases go on counting if an app is deleted and made anew."""

    name: str = ""
    exists: bool = False
    created_at: int = 0
    created_by: str = ""
    updated_at: int = 0
    scale: dict[str, int] = {}
    current: int = 0
    """The release that serves, 0 if none."""
    pending: int = 0
    """The release that is being made, 0 if none."""
    last: int = 0
    """The highest number given so far."""
    releases: dict[int, ReleaseState] = {}
    stopped: bool = False
    """Whether somebody stopped it; its scale is kept for when it is started."""
    restarting: bool = False
    crashed: dict[str, str] = {}
    """Reason by instance, of those that are not started again."""
    config: ConfigState = ConfigState()
    """Its own variables and secrets: what the next release takes."""
    memory: dict[str, int] = {}
    """Its own limits of memory, as `AppLimited` has them: what the next release takes."""
    revision: int = 0
    """How often it was decided what it is to be. It goes on counting, as the numbers of releases do."""

    @property
    def serving(self) -> ReleaseState | None:
        """The release that serves."""
        return self.releases.get(self.current)


def evolve(state: AppState, fact: Fact, happened: Happened, *, owned: bool = False) -> AppState:
    """Fold one fact into the state.

    ``owned`` says that nobody else has ``state``, and nobody will look at it again: its tables are changed in place
    then, not copied. That is what makes folding a long stream linear; the result is the same.
    """
    change, revision = msgspec.structs.replace, state.revision + 1
    match fact:
        case AppCreated():
            return AppState(
                name=fact.name,
                exists=True,
                created_at=happened.at,
                created_by=happened.actor,
                updated_at=happened.at,
                last=state.last,
                revision=revision,
            )
        case AppDeleted():
            return AppState(name=fact.name, last=state.last, revision=revision)
        case AppScaled():
            scale = {**state.scale, **fact.scale}
            return change(state, scale=scale, updated_at=happened.at, crashed={}, revision=revision)
        case AppScaleReset():
            kept = {process: count for process, count in state.scale.items() if process not in fact.processes}
            return change(state, scale=kept, updated_at=happened.at, crashed={}, revision=revision)
        case AppLimited():
            return change(state, memory=fact.memory, updated_at=happened.at, revision=revision)
        case AppStopped():
            stopped = change(state, stopped=True, restarting=False, updated_at=happened.at, crashed={})
            return change(stopped, revision=revision)
        case AppStarted():
            return change(state, stopped=False, updated_at=happened.at, crashed={}, revision=revision)
        case AppRestartRequested():
            return change(state, restarting=True, updated_at=happened.at)
        case AppRestarted():
            return change(state, restarting=False, crashed={})
        case AppRestartFailed():
            return change(state, restarting=False)
        case VarsChanged() | SecretsChanged():
            settings = config.evolve(state.config, fact, happened, owned=owned)
            return change(state, config=settings, updated_at=happened.at, revision=revision)
        case AppCrashed():
            if fact.version != state.current:
                return state  # of a release that was replaced in the same moment
            return change(state, crashed={**state.crashed, fact.instance: fact.reason})
        case DeployStarted():
            release = ReleaseState(started=fact, created_at=happened.at, created_by=happened.actor)
            releases = with_item(state.releases, fact.version, release, owned=owned)
            return change(state, pending=fact.version, last=fact.version, releases=releases, revision=revision)
        case DeployBuilt():
            return _with_release(
                state, fact.version, owned, build=fact.build, rebuilt=fact.rebuilt, processes=fact.processes
            )
        case DeploySucceeded():
            done = _with_release(state, fact.version, owned, outcome="succeeded", finished_at=happened.at)
            served = change(done, current=fact.version, pending=0, updated_at=happened.at, crashed={})
            return change(served, stopped=False, restarting=False)
        case DeployFailed():
            failed = _with_release(state, fact.version, owned, outcome="failed", finished_at=happened.at, failure=fact)
            return change(failed, pending=0)
    return state


def _with_release(state: AppState, version: int, owned: bool, /, **changes: Any) -> AppState:
    release = state.releases.get(version)
    if release is None:
        return state
    changed = msgspec.structs.replace(release, **changes)
    return msgspec.structs.replace(state, releases=with_item(state.releases, version, changed, owned=owned))
