"""When an instance is started again, and when it is given up. Pure: time comes in, decisions go out."""

from __future__ import annotations

from typing import Literal

import msgspec

from rig.node.runtime.driver import ExitStatus


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, all but the count and the factor."""

    first_delay: float = 0.5
    factor: float = 2.0
    longest_delay: float = 30.0
    stable: float = 60.0
    """A run that lasted so long was a good one: the next delay is the first one again."""
    crashes: int = 8
    window: float = 300.0
    """So many ends within this time are a crash loop: no further start."""


class Started(msgspec.Struct, frozen=True):
    """A run has begun."""


class Ended(msgspec.Struct, frozen=True):
    """A run has ended, and nobody had asked for it."""

    status: ExitStatus


class NotStarted(msgspec.Struct, frozen=True):
    """A run could not even be started."""

    reason: str


class Unstartable(msgspec.Struct, frozen=True):
    """Nobody knows how to start another run."""

    reason: str


Event = Started | Ended | NotStarted | Unstartable


class Restarts(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy remembers of one instance."""

    state: Literal["up", "backoff", "crashed"] = "up"
    delay: float = 0.0
    """Seconds to wait, in ``backoff``, before the next start."""
    streak: int = 0
    """Bad runs in a row."""
    started: float = 0.0
    ends: tuple[float, ...] = ()
    """When runs ended, within the window."""
    count: int = 0
    """Starts after the first one."""
    reason: str = ""
    """Why it was given up, as the end of a sentence."""


def decide(state: Restarts, event: Event, now: float, policy: Policy) -> Restarts:
    """What follows from ``event`` at ``now`` (seconds, of a clock that only goes forward).

    Every end that nobody asked for counts, whatever its exit code: a process of an app is meant to stay.
    """
    match event:
        case Started():
            again = state.state == "backoff"
            return msgspec.structs.replace(state, state="up", delay=0.0, started=now, count=state.count + again)
        case Unstartable(reason):
            return msgspec.structs.replace(state, state="crashed", delay=0.0, reason=reason)
        case Ended(status):
            lasted = now - state.started
            streak = 1 if lasted >= policy.stable else state.streak + 1
            what = f"ended with {status}"
        case NotStarted(reason):
            streak = state.streak + 1
            what = f"could not be started ({reason})"
    ends = (*(end for end in state.ends if now - end < policy.window), now)
    if len(ends) >= policy.crashes:
        why = f"it {what}, and that was end number {len(ends)} within {policy.window:.0f} seconds"
        return msgspec.structs.replace(state, state="crashed", delay=0.0, streak=streak, ends=ends, reason=why)
    delay = min(policy.longest_delay, policy.first_delay * policy.factor ** (streak - 1))
    return msgspec.structs.replace(state, state="backoff", delay=delay, streak=streak, ends=ends)
