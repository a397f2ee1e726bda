"""Releases of an app as a new one is told of them: the one that is meant, and what differs from the one that serves."""

from __future__ import annotations

from typing import Any

from events.app import AppState, ReleaseState
from events.config import Supplied
from rig.kernel.errors import RigError
from rig.node.variables.change import memory_changes
from rig.node.variables.resolve import differences, layers, resolve, stacks_of

NOTHING = Supplied()


def find_release(state: AppState, version: int) -> ReleaseState:
    """The release ``vN`` of an app. Raises `RigError` ``not_found``."""
    release = state.releases.get(version)
    if release is None:
        raise RigError(
            "not_found", f"`{state.name}` has no release v{version}.", f"`rig history {state.name}` lists them."
        )
    return release


def find_good(state: AppState, version: int) -> ReleaseState:
    """The release ``vN`` of an app, which has to have served. Raises `RigError` ``not_found`` or ``conflict``."""
    release = find_release(state, version)
    if release.outcome != "succeeded":
        why = "is still being made" if release.outcome == "pending" else "failed"
        raise RigError(
            "conflict",
            f"v{version} of `{state.name}` never served: it {why}.",
            f"`rig history {state.name}` shows which releases succeeded.",
        )
    return release


def fits(release: ReleaseState, isolation: str) -> bool:
    """Whether the build of a release holds under an isolation: paths inside of it differ. Older records say none."""
    return not isolation or release.started.isolation in {"", isolation}


def isolated_otherwise(app: str, version: int, release: ReleaseState, isolation: str) -> RigError:
    """The error for a release of which the build does not fit the isolation that is in force."""
    made = release.started.isolation
    return RigError(
        "conflict",
        f"v{version} of `{app}` was built for isolation `{made}`, and the node runs apps with `{isolation}` now; it is"
        " not built anew.",
        f"{_deploy_again(app, release)} Or start the node with `--isolation {made}` again.",
    )


def collected(app: str, version: int, release: ReleaseState) -> RigError:
    """The error for a release of which the build is gone."""
    return RigError(
        "conflict",
        f"The build of v{version} of `{app}` is no longer on the node: it was collected.",
        _deploy_again(app, release),
    )


def _deploy_again(app: str, release: ReleaseState) -> str:
    commit = str(release.started.source.get("commit", ""))
    check_out = f"`git checkout {commit[:12]}`, then " if commit else ""
    return f"Deploy that source again: {check_out}`rig deploy --app {app}`."


def changes(state: AppState, bundle: str, config: dict[str, Any], supplied: Supplied = NOTHING) -> list[str]:
    """What differs from the release that serves, as ``source``, ``env.NAME``, ``secret.NAME``, ``processes.web``."""
    current = state.serving
    if current is None:
        return ["first release"]
    before = current.started
    changed = ["source"] if before.bundle != bundle else []
    for table in sorted({*before.config, *config, "env"}):
        if table == "env":
            # What counts is what the processes get, wherever it comes from.
            changed += differences(stacks_of(before), resolve(layers(supplied, config.get("env", {}))))
            changed += memory_changes(before.supplied, supplied)
            continue
        old, new = before.config.get(table, {}), config.get(table, {})
        changed += [f"{table}.{key}" for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return changed
