"""How the apps of a network are doing, in a few words each."""

from __future__ import annotations

from events.app import AppCrashed, AppCreated, AppStopped
from rig.contract.networks import AppSummary
from rig.node.handlers.show_network_status import summaries
from tests.unit.given import APP, CREATED, app, served, started

AT = "2026-05-28T20:26:40.000Z"


def test_what_needs_a_look_comes_first() -> None:
    live = app(CREATED, *served(1))
    crashed = app(CREATED, *served(1), AppCrashed(name=APP, instance="web.1", version=1, reason="exit 1"))
    stopped = app(CREATED, *served(1), AppStopped(name=APP))
    empty, first = app(CREATED), app(CREATED, started(1))
    found = [each.status for each in summaries([live, empty, stopped, first, crashed], str)]
    assert found == ["crashed", "deploying", "stopped", "empty", "live"]


def test_an_app_in_a_few_words() -> None:
    (found,) = summaries([app(CREATED, *served(1), started(2))], lambda name: "queued")
    assert found == AppSummary(
        name=APP, status="live", version=1, deployment=2, phase="queued", processes=1, updated_at=AT
    )


def test_those_of_one_kind_come_by_name() -> None:
    states = [app(AppCreated(name=f"demo/{name}")) for name in ("c", "a", "b")]
    assert [each.name for each in summaries(states, str)] == ["demo/a", "demo/b", "demo/c"]
