"""Start, stop and restart: given these facts, when one is asked for, then these follow, or a refusal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from events.app import (
    AppCrashed,
    AppRestarted,
    AppRestartFailed,
    AppRestartRequested,
    AppScaled,
    AppStarted,
    AppState,
    AppStopped,
)
from events.base import Fact
from rig.kernel.apps import app_status, counts_of, wanted_now
from rig.kernel.errors import RigError
from rig.node.handlers import restart_app, start_app, stop_app
from tests.unit.given import APP, CREATED, app, served, started

LIVE = app(CREATED, *served(1))
STOPPED = app(CREATED, *served(1), AppScaled(name=APP, scale={"web": 3}), AppStopped(name=APP))
CRASHED = app(CREATED, *served(1), AppCrashed(name=APP, instance="web.1", version=1, reason="exit 1"))
RESTARTING = app(CREATED, *served(1), AppRestartRequested(name=APP))


@pytest.mark.parametrize(
    ("decide", "state", "expected"),
    [
        (stop_app.decide, LIVE, [AppStopped(name=APP)]),
        (stop_app.decide, STOPPED, []),
        (stop_app.decide, RESTARTING, [AppStopped(name=APP)]),
        (start_app.decide, STOPPED, [AppStarted(name=APP)]),
        (start_app.decide, CRASHED, [AppStarted(name=APP)]),
        (start_app.decide, LIVE, []),
        (restart_app.decide, LIVE, [AppRestartRequested(name=APP)]),
        (restart_app.decide, CRASHED, [AppRestartRequested(name=APP)]),
        (restart_app.decide, RESTARTING, []),
    ],
)
def test_what_follows(decide: Callable[[AppState], list[Fact]], state: AppState, expected: list[Fact]) -> None:
    assert decide(state) == expected


@pytest.mark.parametrize(
    ("decide", "state", "code"),
    [
        (stop_app.decide, app(CREATED), "conflict"),
        (stop_app.decide, app(CREATED, *served(1), started(2)), "locked"),
        (start_app.decide, app(CREATED), "conflict"),
        (restart_app.decide, app(CREATED), "conflict"),
        (restart_app.decide, STOPPED, "conflict"),
    ],
)
def test_what_is_refused(decide: Callable[[AppState], list[Fact]], state: AppState, code: str) -> None:
    with pytest.raises(RigError) as refused:
        decide(state)
    assert refused.value.code == code
    assert refused.value.hint


def test_a_stopped_app_wants_nothing_and_keeps_its_scale() -> None:
    assert (app_status(STOPPED), wanted_now(STOPPED), counts_of(STOPPED, 1)) == ("stopped", {"web": 0}, {"web": 3})
    again = app(CREATED, *served(1), AppStopped(name=APP), AppStarted(name=APP))
    assert (app_status(again), wanted_now(again)) == ("live", {"web": 1})


def test_a_deployment_starts_what_was_stopped() -> None:
    assert app_status(app(CREATED, *served(1), AppStopped(name=APP), *served(2))) == "live"


@pytest.mark.parametrize(
    "end",
    [AppRestarted(name=APP), AppRestartFailed(name=APP, code="unhealthy", reason="It said 500."), AppStopped(name=APP)],
)
def test_a_restart_comes_to_an_end(end: Fact) -> None:
    assert RESTARTING.restarting
    assert not app(CREATED, *served(1), AppRestartRequested(name=APP), end).restarting
