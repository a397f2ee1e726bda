"""`rig diff`: what differs between two releases, or two moments, of an app."""

from __future__ import annotations

import msgspec

from events.app import AppState, settings_of
from handlers.past import Past, past
from rig.contract.history import AppDiff, Change, DiffReleases, Side
from rig.contract.releases import version_number
from rig.kernel.apps import origin_of, served_from
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339


def handle(command: DiffReleases, ctx: ClientContext) -> AppDiff:
    if (command.older or command.newer) and (command.at or command.to):
        raise RigError(
            "usage", "Compare two releases or two moments, not one with the other.", "`--at v3` is a moment."
        )
    known = past(command.app, ctx)
    if command.at or command.to:
        before = known.moment(command.at or "now", ctx.stamp.at, "--at")
        after = known.moment(command.to or "now", ctx.stamp.at, "--to")
        sides, changes = moments(known, before, after)
    else:
        now = known.ever()
        last = version_number(command.newer) or now.current
        first = version_number(command.older) or previous(now, last)
        sides = [side(known, now, version) for version in (first, last)]
        changes = compare(release(now, first), release(now, last))
    return AppDiff(app=command.app, older=sides[0], newer=sides[1], changes=changes, record=known.source)


def moments(known: Past, before: int, after: int) -> tuple[list[Side], list[Change]]:
    """Two moments compared; where there was no app at one of them, the other with nothing.

    Raises `RigError` ``not_found`` where there was none at either.
    """
    reasons = [known.absence(at) for at in (before, after)]
    sides, made = [], []
    for at, absent in zip((before, after), reasons, strict=True):
        state = AppState() if absent and not all(reasons) else known.state(at)
        sides.append(msgspec.structs.replace(side(known, state, state.current, at), absent=absent))
        made.append({} if absent else {"app": known.app, **running(state)})
    return sides, compare(*made)


def previous(state: AppState, version: int) -> int:
    """The release that served before another one. Raises `RigError` ``conflict``."""
    known = state.releases.get(version)
    if known is None or not known.started.previous:
        raise RigError(
            "conflict",
            f"`{state.name}` has no two releases to compare.",
            f"Name them; `rig history {state.name}` lists them.",
        )
    return known.started.previous


def release(state: AppState, version: int) -> dict[str, str]:
    """All that makes a release, flat. Raises `RigError` ``not_found``."""
    known = state.releases.get(version)
    if known is None:
        raise RigError(
            "not_found",
            f"There is no v{version} of `{state.name}` on the record.",
            f"`rig history {state.name}` lists them.",
        )
    started = known.started
    made = {
        "source": started.bundle,
        "commit": commit_of(state, version),
        "environment": started.environment,
        "promoted": origin_of(started),
        "isolation": started.isolation,
    }
    return {name: value for name, value in made.items() if value} | settings_of(started)


def running(state: AppState) -> dict[str, str]:
    """All that made an app at a moment, flat: the release that served, and what was scaled by hand."""
    scale = {f"scale.{process}": str(count) for process, count in sorted(state.scale.items())}
    return {"release": f"v{state.current}", **release(state, state.current), **scale} if state.current else scale


def commit_of(state: AppState, version: int) -> str:
    """The commit of a release, with a `+` where the source differed from it."""
    source = state.releases[version].started.source
    commit = str(source.get("commit", ""))
    return commit + "+" if commit and source.get("dirty") else commit


def compare(before: dict[str, str], after: dict[str, str]) -> list[Change]:
    """What differs, by key."""
    keys = list(dict.fromkeys([*before, *after]))
    return [
        Change(key=key, before=before.get(key), after=after.get(key))
        for key in keys
        if before.get(key) != after.get(key)
    ]


def side(known: Past, state: AppState, version: int, at: int = 0) -> Side:
    """One of the two that are compared."""
    made = state.releases.get(version)
    return msgspec.structs.replace(
        Side(version=version, at=rfc3339(at)),
        served_at=rfc3339(served_from(known.records, version)) if version else "",
        created_by=made.created_by if made else "",
        message=made.started.message if made else "",
        commit=commit_of(state, version) if made else "",
    )
