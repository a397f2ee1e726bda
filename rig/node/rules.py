"""What has to be so before an app or a network is changed. Each rule once, whoever asks for the change. Pure."""

from __future__ import annotations

from collections.abc import Collection

from events.app import AppState
from events.network import NetworkState
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339

MAX_APPS = 2_000
"""Apps of one network. Each is an address of the edge: those of one network alone must not slow down what others do."""


def require_room(network: str, existing: int, added: int = 1) -> None:
    """Refuse apps beyond what a network holds. Raises `RigError` ``conflict``."""
    if added and existing + added > MAX_APPS:
        raise RigError(
            "conflict",
            f"Network `{network}` has {existing} apps, and {MAX_APPS} is the limit: there is no room for {added} more.",
            "Delete those that nobody needs, or make another network.",
        )


def require_unlocked(state: AppState) -> None:
    """One release of an app at a time. Raises `RigError` ``locked`` that says who, since when and why."""
    if not state.pending:
        return
    holder = state.releases[state.pending]
    since = rfc3339(holder.created_at)
    who, when = holder.created_by.removeprefix("user:"), since[:19].replace("T", " ") + "Z"
    said = f", saying “{holder.started.message}”" if holder.started.message else ""
    raise RigError(
        "locked",
        f"{who} has been deploying v{state.pending} of `{state.name}` since {when}{said}.",
        f"`rig status app {state.name}` shows how far it is; `rig deploy --lock-wait 300` waits until it is done.",
        holder=holder.created_by,
        since=since,
        version=state.pending,
        said=holder.started.message,
    )


def require_release(state: AppState) -> None:
    """Refuse to run an app of which there is nothing to run. Raises `RigError` ``conflict``."""
    if not state.current:
        raise RigError(
            "conflict", f"`{state.name}` has no release yet.", f"Deploy it first: `rig deploy --app {state.name}`."
        )


def require_process(app: str, process: str, processes: Collection[str]) -> None:
    """Refuse a process type that the release has not; before the first one there may be any.

    ``processes`` are the types that it has. Raises `RigError` ``invalid_data``.
    """
    if processes and process not in processes:
        raise RigError(
            "invalid_data", f"`{app}` has no process type `{process}`.", f"It has: {', '.join(sorted(processes))}."
        )


def require_limiter(problem: str) -> None:
    """Refuse a limit of memory that would not be kept. ``problem`` is why it would not, empty where it would.

    Raises `RigError` ``bad_config``.
    """
    if problem:
        raise RigError(
            "bad_config",
            f"Memory cannot be limited on this node: {problem}.",
            "It takes cgroup v2, and the right to use it, as a systemd service with Delegate=yes has.",
        )


def require_unprotected(state: NetworkState, what: str) -> None:
    """Refuse to delete ``what`` where its network is protected. Raises `RigError` ``conflict``."""
    if state.protected:
        raise RigError(
            "conflict",
            f"Network `{state.name}` is protected, so {what} cannot be deleted.",
            f"If it is to go all the same: `rig update network {state.name} --no-protected`, which takes an owner.",
        )
