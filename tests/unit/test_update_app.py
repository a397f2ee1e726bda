"""Numbers and limits of memory of an app: what is asked for, what is on the record, what a rollback brings back."""

from __future__ import annotations

import msgspec
import pytest

from events.app import AppLimited, AppScaled, AppState, DeployBuilt, DeployStarted, settings_of
from events.base import Fact
from events.config import Supplied
from handlers.inverses import limits_before
from rig.contract.apps import CreateApp, UpdateApp
from rig.kernel.apps import limits_of, memory_of
from rig.kernel.errors import RigError
from rig.node.handlers import create_app, rollback
from rig.node.handlers.update_app import decide
from rig.node.memory import wanted_limits
from rig.node.releases import changes
from rig.node.variables.change import release_facts
from tests.unit.given import APP, BUNDLE, CREATED, app, network, served, started

MIB = 1 << 20
LIVE = app(CREATED, *served(1))


def asked(**what: object) -> UpdateApp:
    return msgspec.convert({"app": APP, **what}, UpdateApp)


def refused(state: AppState, command: UpdateApp, problem: str = "") -> str:
    with pytest.raises(RigError) as error:
        decide(state, command, problem)
    return error.value.code


@pytest.mark.parametrize(
    ("now", "wanted", "then"),
    [
        ({}, ["512M"], {"*": 512 * MIB}),
        ({"*": 512 * MIB, "web": MIB}, ["1G"], {"*": 1024 * MIB}),
        ({"*": 512 * MIB}, ["web=8192K"], {"*": 512 * MIB, "web": 8 * MIB}),
        ({"*": 512 * MIB}, ["web=none"], {"*": 512 * MIB, "web": 0}),
        ({"*": 512 * MIB, "web": 0}, ["web=default"], {"*": 512 * MIB}),
        ({"*": 512 * MIB, "web": 0}, ["default"], {}),
        ({}, ["default", "none", "web=5000000"], {"*": 0, "web": 5_000_000}),
    ],
)
def test_what_is_asked_for(now: dict[str, int], wanted: list[str], then: dict[str, int]) -> None:
    assert wanted_limits("demo/site", now, wanted, ("web", "worker")) == then


def test_a_limit_is_recorded_with_what_was_before() -> None:
    first = AppLimited(name=APP, memory={"*": 512 * MIB})
    assert decide(LIVE, asked(memory=["512M"])) == [first]
    limited = app(CREATED, *served(1), first)
    assert decide(limited, asked(memory=["512M"])) == []
    again = AppLimited(name=APP, memory={"*": 512 * MIB, "web": 0}, before={"*": 512 * MIB})
    assert decide(limited, asked(memory=["web=none"], scale={"web": 2})) == [
        AppScaled(name=APP, scale={"web": 2}),
        again,
    ]


def test_what_is_refused() -> None:
    assert refused(LIVE, asked()) == "usage"
    assert refused(LIVE, asked(memory=["12"])) == "invalid_data"
    assert refused(LIVE, asked(memory=["9999999999G"])) == "invalid_data", "no record could hold that number"
    assert refused(LIVE, asked(memory=["cat=1G"])) == "invalid_data"
    assert refused(app(CREATED, *served(1), started(2)), asked(memory=["1G"])) == "locked"
    assert refused(LIVE, asked(memory=["1G"]), "this machine has no cgroup v2") == "bad_config"


def test_no_limit_takes_no_means_to_enforce_one() -> None:
    none = [AppLimited(name=APP, memory={"*": 0})]
    assert decide(LIVE, asked(memory=["none"]), "this machine has no cgroup v2") == none


def test_an_app_may_be_made_with_a_limit() -> None:
    made: list[Fact] = [CREATED, AppLimited(name=APP, memory={"worker": 16 * MIB})]
    assert create_app.decide(app(), CreateApp(app=APP, memory=["worker=16M"])) == made
    assert limits_of(app(*made)) == {"worker": 16 * MIB}
    with pytest.raises(RigError, match="cannot be limited"):
        create_app.decide(app(), CreateApp(app=APP, memory=["1G"]), "this machine has no cgroup v2")


def release(config: dict[str, object], limits: dict[str, int]) -> DeployStarted:
    return DeployStarted(app=APP, version=1, bundle=BUNDLE, config=config, supplied=Supplied(memory=limits))


def test_what_was_set_for_the_app_wins_over_its_file() -> None:
    config: dict[str, object] = {"processes": {"web": {"memory": 5}}}
    assert memory_of(release(config, {}), "web") == 5
    assert memory_of(release(config, {}), "worker") == 0
    assert memory_of(release(config, {"*": 7}), "web") == 7
    assert memory_of(release(config, {"*": 7, "web": 0}), "web") == 0
    assert settings_of(release(config, {"*": 7, "web": 0})) == {
        "memory": "7",
        "memory.web": "0",
        "processes.web.memory": "5",
    }


def test_a_limit_makes_one_release_and_a_rollback_takes_it_back() -> None:
    limit = AppLimited(name=APP, memory={"*": 512 * MIB})
    limited = app(CREATED, *served(1), limit)
    begun, built = release_facts(limited, network(), "none")
    assert isinstance(begun, DeployStarted)
    assert (begun.supplied.memory, begun.changed, begun.message) == ({"*": 512 * MIB}, ["memory"], "memory: 512 MiB")
    assert isinstance(built, DeployBuilt)
    assert built.build == "build-1"
    second = app(CREATED, *served(1), limit, begun, built, *served(2)[2:])
    assert limits_of(second) == {"web": 512 * MIB}
    assert changes(second, BUNDLE, {}, Supplied()) == ["memory"]

    restored = rollback.decide(second, 1, "", "none")
    assert restored[0] == AppLimited(name=APP, memory={}, before={"*": 512 * MIB})
    assert isinstance(restored[1], DeployStarted)
    assert (restored[1].supplied.memory, restored[1].changed) == ({}, ["memory"])


def test_what_takes_a_limit_back_sets_what_was_before() -> None:
    state = app(CREATED, AppLimited(name=APP, memory={"web": 0, "*": 512 * MIB}))
    back = wanted_limits(state.name, {"worker": 9 * MIB}, limits_before(state))
    assert back == state.memory
