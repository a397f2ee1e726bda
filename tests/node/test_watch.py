"""A release that dies young is taken back, once, and only where there is something to go back to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from events.app import AppCreated, AppState, DeployBuilt, DeployStarted, DeploySucceeded, evolve
from events.base import Fact, Happened
from rig.node.deploy.watch import decide
from rig.node.supervisor.model import InstanceInfo

SECOND = 1_000_000_000
SERVES_SINCE = 100 * SECOND


def given(*facts: Fact, at: int = SERVES_SINCE) -> AppState:
    state = AppState()
    for fact in facts:
        state = evolve(state, fact, Happened(at, "user:ana"))
    return state


def release(version: int, **more: Any) -> list[Fact]:
    started = DeployStarted(app="demo/shop", version=version, bundle=f"{version}" * 64, **more)
    built = DeployBuilt(app="demo/shop", version=version, build=f"b{version}", processes={"web": "serve"})
    return [started, built, DeploySucceeded(app="demo/shop", version=version)]


TWO = [AppCreated(name="demo/shop"), *release(1), *release(2, previous=1)]
DIED = InstanceInfo(id="i", app="demo/shop", name="web.1", process="web", version=2, state="backoff", exit="exit 3")


def test_what_dies_in_its_first_minute_is_rolled_back() -> None:
    started, built = decide(given(*TWO), DIED, SERVES_SINCE + 59 * SECOND, "none")
    assert isinstance(started, DeployStarted)
    assert (started.version, started.rollback_of, started.bundle, started.previous) == (3, 1, "1" * 64, 2)
    assert started.message == "v2 died within its first 60 seconds: web.1 ended by itself (exit 3)"
    assert isinstance(built, DeployBuilt)
    assert built.build == "b1"


NOTHING_SERVED_BEFORE = [AppCreated(name="demo/shop"), *release(2)]
A_ROLLBACK = [AppCreated(name="demo/shop"), *release(1), *release(2, previous=1, rollback_of=1)]
WATCH_OFF = [AppCreated(name="demo/shop"), *release(1), *release(2, previous=1, config={"deploy": {"watch": 0}})]
ANOTHER_BEGUN = [*TWO, release(3, previous=2)[0]]
NEWER_SERVES = [*TWO, *release(3, previous=2)]


@pytest.mark.parametrize(
    ("facts", "changes", "later"),
    [
        (TWO, {}, 60),
        (TWO, {"state": "up"}, 1),
        (TWO, {"state": "stopping"}, 1),
        (TWO, {"version": 1}, 1),
        (NOTHING_SERVED_BEFORE, {}, 1),
        (A_ROLLBACK, {}, 1),
        (WATCH_OFF, {}, 1),
        (ANOTHER_BEGUN, {}, 1),
        (NEWER_SERVES, {}, 1),
        ([], {}, 1),
    ],
    ids=[
        "too late",
        "lives",
        "was asked to end",
        "an old one",
        "nothing served before",
        "a rollback itself",
        "not wanted",
        "another is being made",
        "a newer one serves",
        "deleted",
    ],
)
def test_nothing_is_done(facts: list[Fact], changes: dict[str, Any], later: int) -> None:
    info = msgspec.structs.replace(DIED, **changes)
    assert decide(given(*facts), info, SERVES_SINCE + later * SECOND, "none") == []
