"""Taking back a release that dies soon after it began to serve: `[deploy] watch`."""

from __future__ import annotations

from events.app import AppState
from events.base import Fact
from rig.kernel.errors import RigError
from rig.node.handlers.rollback import decide as roll_back
from rig.node.supervisor.model import InstanceInfo, State
from rig.node.world import config_of

DEAD: frozenset[State] = frozenset({"backoff", "crashed"})
"""States of an instance that ended without being asked to."""


def decide(state: AppState, instance: InstanceInfo, now: int, isolation: str) -> list[Fact]:
    """The facts of going back to the release before, where the one that serves dies within its first seconds.

    None where there is nothing to go back to, where the release is a rollback itself (two bad releases would take turns
    for ever), or where another one is being made already.
    """
    release = state.serving
    if release is None or instance.version != state.current or instance.state not in DEAD or state.pending:
        return []
    started = release.started
    if not started.previous or started.rollback_of:
        return []
    try:
        seconds = config_of(started).deploy.watch
        if not 0 <= now - release.finished_at < seconds * 1_000_000_000:
            return []
        how = f" ({instance.exit})" if instance.exit else ""
        message = f"v{state.current} died within its first {seconds} seconds: {instance.name} ended by itself{how}"
        return roll_back(state, started.previous, message, isolation)
    except RigError:
        return []  # what served before cannot be gone back to
