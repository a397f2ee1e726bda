"""What the node decides: given these facts, when this is asked for, then these facts follow, or this refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from events.app import AppCrashed, AppDeleted, AppScaled, AppState, DeployBuilt, DeployStarted
from events.base import Fact
from events.network import NetworkCreated, NetworkDeleted
from events.witness import JournalRegistered, WitnessState
from rig.contract.apps import CreateApp
from rig.contract.project import AppConfig, ProcessConfig
from rig.contract.releases import SourceInfo, StartRelease
from rig.contract.replica import RegisterJournal
from rig.kernel.apps import app_status, counts_of
from rig.kernel.errors import RigError
from rig.node.handlers import (
    create_app,
    create_network,
    delete_app,
    delete_network,
    register_journal,
    rollback,
    start_release,
    update_app,
)
from rig.node.releases import changes, find_release
from tests.unit.given import APP, BUNDLE, CREATED, app, network, served, started

NETWORK = NetworkCreated(name="demo")
OTHER = "cd" * 32


def refused(decide: Callable[..., object], *given: Any) -> RigError:
    with pytest.raises(RigError) as caught:
        decide(*given)
    assert caught.value.hint, "a refusal says what mends it"
    return caught.value


# -- networks and apps -----------------------------------------------------------------------------------------------


def test_a_network_is_made_once_and_again_after_its_end() -> None:
    assert create_network.decide(network(), "demo") == [NETWORK]
    assert refused(create_network.decide, network(NETWORK), "demo").code == "already_exists"
    assert create_network.decide(network(NETWORK, NetworkDeleted(name="demo")), "demo") == [NETWORK]


@pytest.mark.parametrize("name", ["api", "node", "rig", "localhost"])
def test_names_of_the_platform_itself_are_kept(name: str) -> None:
    assert refused(create_network.decide, network(), name).code == "invalid_data"


def test_a_network_is_deleted_once_it_is_empty() -> None:
    assert delete_network.decide("demo", []) == [NetworkDeleted(name="demo")]
    assert delete_network.decide("demo", ["demo/app"], cascade=True) == [NetworkDeleted(name="demo")]
    error = refused(delete_network.decide, "demo", [f"demo/app{n}" for n in range(7)])
    assert error.code == "conflict"
    assert "`demo/app4` and 2 more" in error.message
    assert "rig delete app demo/app0" in error.hint


def test_an_app_is_made_once_and_again_after_its_end() -> None:
    assert create_app.decide(app(), CreateApp(app=APP)) == [CREATED]
    assert refused(create_app.decide, app(CREATED), CreateApp(app=APP)).code == "already_exists"
    assert create_app.decide(app(CREATED, AppDeleted(name=APP)), CreateApp(app=APP)) == [CREATED]


def test_an_app_is_made_with_the_numbers_of_processes_that_it_is_to_run() -> None:
    facts = create_app.decide(app(), CreateApp(app=APP, process={"web": 2}))
    assert facts == [CREATED, AppScaled(name=APP, scale={"web": 2})]
    assert counts_of(app(*facts, *served(1)), 1)["web"] == 2


def test_an_app_is_deleted_unless_it_is_being_deployed() -> None:
    assert delete_app.decide(app(CREATED, *served(1))) == [AppDeleted(name=APP)]
    assert refused(delete_app.decide, app(CREATED, started(1))).code == "locked"


@pytest.mark.parametrize(
    ("processes", "scale", "then"),
    [
        ({"web": 1}, {"web": 3}, [AppScaled(name=APP, scale={"web": 3})]),
        ({"web": 1, "worker": 1}, {"web": 1, "worker": 0}, [AppScaled(name=APP, scale={"worker": 0})]),
        ({"web": 2}, {"web": 2}, []),
        ({"web": 1}, {}, []),
        ({}, {"web": 1}, "conflict"),
        ({"web": 1}, {"cat": 1}, "invalid_data"),
    ],
)
def test_scaling(processes: dict[str, int], scale: dict[str, int], then: list[Fact] | str) -> None:
    if isinstance(then, str):
        assert refused(update_app.scaled, APP, processes, scale).code == then
    else:
        assert update_app.scaled(APP, processes, scale) == then


# -- releases --------------------------------------------------------------------------------------------------------


def begin(create: bool = False, bundle: str = BUNDLE, **config: Any) -> StartRelease:
    source = SourceInfo(branch="main")
    return StartRelease(app=APP, bundle=bundle, config=AppConfig(**config), source=source, message="why", create=create)


def test_the_first_release_of_an_app() -> None:
    (fact,) = start_release.decide(app(CREATED), begin(), "bubblewrap")
    assert isinstance(fact, DeployStarted)
    assert (fact.app, fact.version, fact.bundle, fact.previous) == (APP, 1, BUNDLE, 0)
    assert (fact.message, fact.source, fact.isolation, fact.changed) == (
        "why",
        {"branch": "main"},
        "bubblewrap",
        ["first release"],
    )


def test_a_release_makes_its_app_on_the_way_only_if_that_was_asked_for() -> None:
    assert [type(fact) for fact in start_release.decide(app(), begin(create=True), "none")] == [
        type(CREATED),
        DeployStarted,
    ]
    error = refused(start_release.decide, app(), begin(), "none")
    assert error.code == "not_found"
    assert "--create" in error.hint


def test_a_release_gets_the_next_number_also_after_failures_and_deletions() -> None:
    state = app(CREATED, *served(1), AppDeleted(name=APP), CREATED)
    (fact,) = start_release.decide(state, begin(), "none")
    assert isinstance(fact, DeployStarted)
    assert (fact.version, fact.previous) == (2, 0)


def test_one_release_of_an_app_at_a_time() -> None:
    state = app(CREATED, started(1, message="my turn"))
    error = refused(start_release.decide, state, begin(), "none")
    assert error.code == "locked"
    assert "ana has been deploying v1" in error.message
    assert "my turn" in error.message
    assert error.details["holder"] == "user:ana"
    assert refused(rollback.decide, state, 0, "", "none").code == "locked"


def test_what_changed_since_the_release_that_serves() -> None:
    config: dict[str, Any] = {"env": {"A": "1", "B": "2"}, "processes": {"web": {"count": 2}}}
    state = app(CREATED, *served(1, **config))
    assert changes(state, BUNDLE, config) == []
    changed = {"env": {"A": "1", "B": "3", "C": "4"}, "processes": {}}
    assert changes(state, OTHER, changed) == ["source", "env.B", "env.C", "processes.web"]
    assert changes(app(CREATED), BUNDLE, {}) == ["first release"]


def test_a_rollback_restores_the_release_before_as_a_new_one_without_a_build() -> None:
    state = app(CREATED, *served(1), *served(2, bundle=OTHER))
    began, built = rollback.decide(state, 0, "", "none")
    assert isinstance(began, DeployStarted)
    assert (began.version, began.bundle, began.rollback_of, began.previous) == (3, BUNDLE, 1, 2)
    assert (began.message, began.changed) == ("rollback to v1", ["source"])
    assert built == DeployBuilt(app=APP, version=3, build="build-1", processes={"web": "./serve"})


@pytest.mark.parametrize(
    ("facts", "wanted", "then"),
    [
        ([CREATED, *served(1), *served(2)], 0, 1),
        ([CREATED, *served(1), *served(2), *served(3)], 1, 1),
        ([CREATED, *served(1), *served(2), *served(3)], 0, 2),
        ([CREATED, *served(1)], 0, "conflict"),
        ([CREATED], 0, "conflict"),
        ([CREATED, *served(1), *served(2)], 2, "conflict"),
        ([CREATED, *served(1), *served(2)], 9, "not_found"),
        ([CREATED, *served(1), started(2)], 2, "conflict"),
    ],
)
def test_which_release_a_rollback_restores(facts: list[Fact], wanted: int, then: int | str) -> None:
    if isinstance(then, str):
        assert refused(rollback.choose, app(*facts), wanted).code == then
    else:
        assert rollback.choose(app(*facts), wanted) == then


def isolated(version: int, isolation: str) -> list[Fact]:
    began, *others = served(version)
    return [msgspec.structs.replace(began, isolation=isolation), *others]


def test_a_rollback_keeps_to_builds_of_the_isolation_that_is_in_force() -> None:
    """Paths inside of a build differ: one that was made without does not run with."""
    bare, boxed = (
        [*isolated(first, name), *isolated(first + 1, name)] for first, name in ((1, "none"), (3, "bubblewrap"))
    )
    state = app(CREATED, *bare, *boxed)
    assert rollback.choose(state, 0, isolation="bubblewrap") == 3
    assert rollback.choose(state, 2, isolation="none") == 2
    for wanted, of in ((1, state), (0, app(CREATED, *bare))):
        error = refused(rollback.decide, of, wanted, "", "bubblewrap")
        assert (error.code, "built for isolation `none`" in error.message) == ("conflict", True)
        assert f"rig deploy --app {APP}" in error.hint
        assert "--isolation none" in error.hint


def test_a_release_that_is_not_there() -> None:
    assert refused(find_release, app(CREATED, *served(1)), 2).code == "not_found"
    assert find_release(app(CREATED, *served(1)), 1).outcome == "succeeded"


# -- the witness -----------------------------------------------------------------------------------------------------


def test_a_journal_is_registered_once_and_never_by_another_key() -> None:
    ask = RegisterJournal(origin="rig/client/1", key="rig/client/1+00+A")
    assert register_journal.decide(WitnessState(), ask) == [JournalRegistered(origin=ask.origin, key=ask.key)]
    assert register_journal.decide(WitnessState(key=ask.key), ask) == []
    assert refused(register_journal.decide, WitnessState(key="rig/client/1+00+B"), ask).code == "conflict"


# -- what is shown of it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ([CREATED], "empty"),
        ([CREATED, started(1)], "deploying"),
        ([CREATED, *served(1)], "live"),
        ([CREATED, *served(1), started(2)], "live"),
        ([CREATED, *served(1), AppScaled(name=APP, scale={"web": 0})], "stopped"),
        ([CREATED, *served(1), AppCrashed(name=APP, instance="web.1", version=1, reason="exit 1")], "crashed"),
        ([CREATED, *served(1), AppCrashed(name=APP, instance="worker.1", version=1, reason="exit 1")], "live"),
    ],
)
def test_one_word_for_how_an_app_is_doing(facts: list[Fact], status: str) -> None:
    assert app_status(app(*facts)) == status


def test_how_many_of_each_process_are_wanted() -> None:
    def counts(scale: dict[str, int], **config: Any) -> dict[str, int]:
        state = app(CREATED, *served(1, **config), *([AppScaled(name=APP, scale=scale)] if scale else []))
        return counts_of(state, 1)

    three = {"web": {"count": 3}}
    assert counts({}) == {"web": 1}
    assert counts({}, processes=three) == {"web": ProcessConfig(count=3).count}
    assert counts({"web": 2}, processes=three) == {"web": 2}
    assert counts_of(AppState(), 1) == {}
