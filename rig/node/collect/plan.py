"""Decides what goes. Pure: the state of an app, what is on the disk, what is to be kept and the time come in, verdicts
go out.

What a release needs that serves, that is being made, or that can be rolled back to never goes, whatever its age.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from events.app import AppState, ReleaseState
from rig.node.collect.model import CACHE_AGE, CACHE_BYTES, Download, Found, Retention, Verdict

_NS = 1_000_000_000


def plan_app(
    state: AppState,
    found: Sequence[Found],
    retention: Retention,
    now: int,
    *,
    making: str = "",
    lent: Collection[str] = (),
    running: Collection[int] = (),
) -> list[Verdict]:
    """What becomes of everything in the folder of an app that exists.

    ``making`` is the build that the pending release will ask for, ``lent`` are those that other apps are about to copy,
    ``running`` the releases of which an instance has not ended yet.
    """
    kept = kept_releases(state, retention.keep, running)
    asked = {making: kept.get(state.pending, "a release that is being made asks for it")}
    asked |= dict.fromkeys(lent, "another app is about to copy it")
    builds = [_build(each, state, kept, retention, now, asked) for each in found if each.kind == "build"]
    needed = {layer: build.found.name for build in builds if not build.goes for layer in build.found.layers}
    layers = [_layer(each, needed, retention, now) for each in found if each.kind == "layer"]
    logged = {*kept, *sorted(state.releases, reverse=True)[: retention.keep]}
    logs = [_log(each, logged, retention, now) for each in found if each.kind == "log"]
    return [*builds, *layers, *logs, *_caches([each for each in found if each.kind == "cache"], now)]


def kept_releases(state: AppState, keep: int, running: Collection[int] = ()) -> dict[int, str]:
    """The releases that are kept, each with the reason."""
    succeeded = sorted((v for v, release in state.releases.items() if release.outcome == "succeeded"), reverse=True)
    kept = {version: f"v{version} can be rolled back to" for version in succeeded[:keep]}
    current = state.serving
    if current is not None and current.started.previous in succeeded:
        kept[current.started.previous] = f"v{current.started.previous} served before"
    kept |= {version: f"v{version} has not ended yet" for version in running}
    if current is not None:
        kept[state.current] = f"v{state.current} serves"
    if state.pending:
        kept[state.pending] = f"v{state.pending} is being made"
    return kept


def kept_bundles(state: AppState, keep: int) -> set[str]:
    """The bundles of the releases that are kept."""
    return {state.releases[version].started.bundle for version in kept_releases(state, keep)}


def gone_app(app: str, folder: Path) -> Verdict:
    """What becomes of the folder of an app that does not exist."""
    found = Found(kind="app", app=app, name=folder.name, path=folder)
    return Verdict(found=found, goes=True, reason="the app was deleted")


def gone_access(found: Found) -> Verdict:
    """What becomes of an access log whose app does not exist."""
    return Verdict(found=found, goes=True, reason="the app was deleted")


def gone_network(found: Found, retention: Retention, now: int) -> Verdict:
    """What becomes of the folder of a network that does not exist; a first deployment sends source ahead of it."""
    if _young(found.used, retention, now):
        return _young_one(found, retention)
    return Verdict(found=found, goes=True, reason="the network does not exist")


def _young_one(found: Found, retention: Retention) -> Verdict:
    return Verdict(found=found, goes=False, reason=f"it was used within {span(retention.older_than)}")


def _build(
    found: Found, state: AppState, kept: dict[int, str], retention: Retention, now: int, asked: dict[str, str]
) -> Verdict:
    users = {version: release for version, release in state.releases.items() if release.build == found.name}
    needing = [kept[version] for version in kept if version in users]
    if found.name in asked:
        needing.append(asked[found.name])
    if needing:
        return Verdict(found=found, goes=False, reason=needing[-1])
    used = max([found.used, *(_last_used(release) for release in users.values())])
    if _young(used, retention, now):
        return _young_one(found, retention)
    return Verdict(found=found, goes=True, reason=_why_not(users, retention))


def _why_not(users: dict[int, ReleaseState], retention: Retention) -> str:
    if not users:
        return "no release stands on it"
    version = max(users)
    if all(release.outcome != "succeeded" for release in users.values()):
        return f"v{version} failed"
    return f"v{version} is older than the newest {retention.keep} that succeeded"


def _layer(found: Found, needed: dict[str, str], retention: Retention, now: int) -> Verdict:
    if found.name in needed:
        return Verdict(found=found, goes=False, reason=f"build {needed[found.name]} stands on it")
    if _young(found.used, retention, now):
        return _young_one(found, retention)
    return Verdict(found=found, goes=True, reason="no kept build stands on it")


def _log(found: Found, logged: set[int], retention: Retention, now: int) -> Verdict:
    if found.version in logged:
        return Verdict(found=found, goes=False, reason=f"v{found.version} is among the releases that are kept")
    if _young(found.used, retention, now):
        return _young_one(found, retention)
    return Verdict(found=found, goes=True, reason=f"v{found.version} is older than the releases that are kept")


def _caches(caches: Sequence[Found], now: int) -> list[Verdict]:
    """What goes of the download caches of one app: the old, then of the rest what was not used for longest."""
    verdicts = []
    going = set(evict(((cache.name, each) for cache in caches for each in cache.downloads), now))
    for cache in caches:
        downloads = tuple(each for each in cache.downloads if (cache.name, each) in going)
        if cache.odd:
            verdicts.append(Verdict(found=cache, goes=True, reason=f"{cache.name} made nothing like it"))
        elif downloads:
            reason = f"not used for {span(CACHE_AGE)}, or used least of more than {CACHE_BYTES >> 30} GiB"
            verdicts.append(Verdict(found=cache, goes=True, reason=reason, downloads=downloads))
        else:
            verdicts.append(Verdict(found=cache, goes=False, reason="its downloads were used lately"))
    return verdicts


def evict(downloads: Iterable[tuple[str, Download]], now: int) -> list[tuple[str, Download]]:
    """Which of the downloads, each with the name of its cache, go."""
    going = []
    total = 0
    for name, each in sorted(downloads, key=lambda pair: pair[1].used, reverse=True):
        total += each.size
        if total > CACHE_BYTES or now - each.used > CACHE_AGE:
            going.append((name, each))
    return going


def _young(used: int, retention: Retention, now: int) -> bool:
    return now - used < retention.older_than


def _last_used(release: ReleaseState) -> int:
    return max(release.created_at, release.finished_at) // _NS


def span(seconds: int) -> str:
    """86400 → ``1 day``."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            count = seconds // length
            return f"{count} {unit}" + ("" if count == 1 else "s")
    return f"{seconds} seconds"
