"""What an app is and was, told from its facts: by the node that records them, and by clients that keep a replica."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from events.app import AppState, DeployStarted, DeploySucceeded, evolve
from events.base import Happened
from rig.contract.apps import App
from rig.contract.project import AppConfig
from rig.contract.releases import ListReleases, Outcome, Phase, Release, ReleasePage, SourceInfo
from rig.kernel.errors import RigError
from rig.kernel.filtering import rows_behind
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Recorded


def app_status(state: AppState) -> str:
    """One word for how the app is doing."""
    if not state.current:
        return "deploying" if state.pending else "empty"
    if state.stopped:
        return "stopped"
    web = {name: reason for name, reason in state.crashed.items() if name.startswith("web.")}
    counts = counts_of(state, state.current)
    if "web" in counts and len(web) >= counts["web"] > 0:
        return "crashed"
    return "live" if any(counts.values()) else "stopped"


def counts_of(state: AppState, version: int) -> dict[str, int]:
    """How many instances of each process type a release wants; what was scaled by hand wins over rig.toml."""
    release = state.releases.get(version)
    if release is None:
        return {}
    # As it was recorded: an app whose configuration a newer rig wrote is counted, if not started.
    given = release.started.config.get("processes", {})
    return {process: state.scale.get(process, given.get(process, {}).get("count", 1)) for process in release.processes}


def memory_of(started: DeployStarted, process: str) -> int:
    """Bytes that a process of a release may take, 0 for no limit; what was set for the app wins over rig.toml."""
    own = started.supplied.memory
    given = started.config.get("processes", {}).get(process, {})
    return int(own.get(process, own.get("*", given.get("memory", 0))))


def limits_of(state: AppState) -> dict[str, int]:
    """The limits of memory in force, by process type; those that are set for an app that was never deployed."""
    release = state.serving
    if release is None:
        return {process: limit for process, limit in state.memory.items() if limit}
    limits = {process: memory_of(release.started, process) for process in sorted(release.processes)}
    return {process: limit for process, limit in limits.items() if limit}


def wanted_now(state: AppState) -> dict[str, int]:
    """How many instances of each process type are to run now: none of an app that was stopped."""
    counts = counts_of(state, state.current)
    return dict.fromkeys(counts, 0) if state.stopped else counts


def app_of(state: AppState, *, url: str, hostname: str, at: str = "") -> App:
    """An app; ``at`` names the moment where ``state`` is not the one of now."""
    release = state.serving
    return App(
        name=state.name,
        url=url,
        hostname=hostname,
        status=app_status(state),
        version=state.current,
        processes=counts_of(state, state.current) if state.current else state.scale,
        memory=limits_of(state),
        limits=state.memory,
        deployment=state.pending,
        revision=state.revision,
        created_at=rfc3339(state.created_at),
        created_by=state.created_by,
        updated_at=rfc3339(state.updated_at),
        at=at,
        deployed_at=rfc3339(release.finished_at) if release else "",
        deployed_by=release.created_by if release else "",
        message=release.started.message if release else "",
        commit=str(release.started.source.get("commit", "")) if release else "",
        bundle=release.started.bundle if release else "",
        promoted_from=origin_of(release.started) if release else "",
        environment=release.started.environment if release else "",
        overrides=overrides_of(release.started) if release else [],
    )


def release_of(
    state: AppState, version: int, *, url: str, phase: Phase = "queued", rollbackable: bool = False
) -> Release:
    """One release of an app. ``phase`` is where one stands that is not over."""
    release = state.releases[version]
    started, failure = release.started, release.failure
    outcome: Outcome = "pending"
    if release.outcome != "pending":
        outcome, phase = ("succeeded" if release.outcome == "succeeded" else "failed"), "done"
    return Release(
        app=state.name,
        version=version,
        outcome=outcome,
        phase=phase,
        current=state.current == version,
        rollbackable=rollbackable,
        url=url,
        created_at=rfc3339(release.created_at),
        finished_at=rfc3339(release.finished_at),
        created_by=release.created_by,
        message=started.message,
        bundle=started.bundle,
        build=release.build,
        rebuilt=release.rebuilt,
        built_by=built_by(state, release.build),
        source=msgspec.convert(started.source, SourceInfo),
        config=_shown_config(started),
        supplied=started.supplied,
        environment=started.environment,
        overrides=overrides_of(started),
        processes=release.processes,
        changed=started.changed,
        rollback_of=started.rollback_of,
        promoted=started.promoted,
        previous=started.previous,
        isolation=started.isolation,
        code=failure.code if failure else "",
        reason=failure.reason if failure else "",
        hint=failure.hint if failure else "",
        output=failure.output if failure else [],
    )


def releases_of(state: AppState, asked: ListReleases, shown: Callable[[int], Release]) -> ReleasePage:
    """A page of the releases of an app, newest first; ``shown`` makes the one of a number.

    Raises `RigError` ``invalid_data`` or ``usage``.
    """
    if asked.after and not asked.after.isdecimal():
        raise RigError("invalid_data", f"`{asked.after}` is not where a page ended.")
    below = int(asked.after) if asked.after else state.last + 1
    keys = [str(version) for version in sorted(state.releases, reverse=True) if version < below]
    releases, following = rows_behind(keys, lambda key: [shown(int(key))], Release, asked)
    return ReleasePage(releases=releases, next=following)


def built_by(state: AppState, build: str) -> int:
    """The release that ran a build; 0 where none of the app's did."""
    found = (version for version, each in reversed(state.releases.items()) if each.rebuilt and each.build == build)
    return next(found, 0)


def origin_of(started: DeployStarted) -> str:
    """``demo-staging/shop v7``: what a release was promoted from; empty for one that was not."""
    return f"{started.promoted.app} v{started.promoted.version}" if started.promoted else ""


def overrides_of(started: DeployStarted) -> list[str]:
    """Names of the variables that a release alone has."""
    return sorted(started.supplied.vars.get("release", {}))


def _shown_config(started: DeployStarted) -> AppConfig:
    """The configuration of a release; the default one where a newer rig wrote it, since the rest is worth seeing."""
    try:
        return msgspec.convert(started.config, AppConfig)
    except msgspec.ValidationError:
        return AppConfig()


def state_at(records: Sequence[Recorded], at: int | None = None) -> AppState:
    """The app as its records tell it, up to a time; all of them without one."""
    state = AppState()
    for record in records:
        if at is None or record.at <= at:
            state = evolve(state, record.fact, Happened(record.at, record.actor), owned=True)
    return state


def served_from(records: Sequence[Recorded], version: int) -> int:
    """When a release began to serve, 0 if it never did."""
    for record in records:
        if isinstance(record.fact, DeploySucceeded) and record.fact.version == version:
            return record.at
    return 0


def url_of(records: Sequence[Recorded]) -> str:
    """Where an app was served last, as far as the records tell."""
    for record in reversed(records):
        if isinstance(record.fact, DeploySucceeded) and record.fact.url:
            return record.fact.url
    return ""
