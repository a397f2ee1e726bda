"""What a deployment alone brings: its environment and its own variables. Which win, and how long they last."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from events.app import DeployBuilt, DeployStarted, DeploySucceeded, settings_of
from events.base import Fact
from events.command import CommandReceived
from events.config import Supplied, VarsChanged
from handlers.deploy import check_vars, configured
from handlers.reconcile import Unsettled
from handlers.resume import with_arguments
from rig.contract.deploy import Deploy
from rig.contract.project import AppConfig, Environment, ProjectFile
from rig.contract.releases import StartRelease
from rig.kernel.apps import app_of, release_of
from rig.kernel.errors import RigError
from rig.node.handlers import rollback, start_release
from rig.node.variables.change import release_facts
from rig.node.variables.resolve import plain, stacks_next, stacks_of, winners
from tests.unit.given import APP, BUNDLE, CREATED, app, network

OWN = VarsChanged(scope=APP, set={"A": "app", "B": "app", "C": "app"})
INHERITED = VarsChanged(scope="demo", set=dict.fromkeys("ABCDEF", "network"))


def begin(*facts: Fact, **more: Any) -> DeployStarted:
    """The release that a deployment begins, given what was before."""
    command = StartRelease(app=APP, bundle=BUNDLE, **more)
    started = start_release.decide(app(CREATED, *facts), command, "none", network(INHERITED))[-1]
    assert isinstance(started, DeployStarted)
    return started


def deployed(*facts: Fact, **more: Any) -> list[Fact]:
    """The same to its success, with what was before."""
    started = begin(*facts, **more)
    built = DeployBuilt(app=APP, version=started.version, build=f"build-{started.version}", processes={"web": "./go"})
    return [*facts, started, built, DeploySucceeded(app=APP, version=started.version)]


def environment(**more: Any) -> dict[str, Any]:
    return {
        "config": AppConfig(env=dict.fromkeys("ABCDE", "file")),
        "environment": "staging",
        "environment_vars": dict.fromkeys("ABCD", "staging"),
        **more,
    }


def test_each_layer_wins_over_those_before_it() -> None:
    started = begin(OWN, **environment(vars={"A": "release"}))
    won = {name: (entry.origin, entry.value) for name, entry in winners(stacks_of(started)).items()}
    assert won == {
        "A": ("release", "release"),
        "B": ("app", "app"),
        "C": ("app", "app"),
        "D": ("environment", "staging"),
        "E": ("rig.toml", "file"),
        "F": ("network", "network"),
        "LANG": ("node", "C.UTF-8"),
    }
    stack = [entry.origin for entry in stacks_of(started)["A"]]
    assert stack == ["release", "app", "environment", "rig.toml", "network"]
    assert {f"env.{name}": value for name, value in plain(started).items()} == settings_of(started)


def test_the_next_deployment_drops_them_unless_they_are_given_again() -> None:
    before = deployed(**environment(vars={"A": "release"}))
    assert begin(*before, **environment(vars={"A": "release"})).changed == []
    after = begin(*before, config=AppConfig(env={"A": "file"}))
    assert after.supplied == Supplied(vars={"network": INHERITED.set})
    assert after.environment == ""
    assert after.changed == ["env.A", "env.B", "env.C", "env.D", "env.E"]


def test_a_change_of_variables_keeps_them() -> None:
    state = app(CREATED, *deployed(**environment(vars={"A": "release"})), OWN)
    assert winners(stacks_next(network(INHERITED), state))["A"].origin == "release"
    started, _ = release_facts(state, network(INHERITED), "none")
    assert isinstance(started, DeployStarted)
    assert (started.changed, started.environment) == (["env.B", "env.C"], "staging")
    assert started.supplied.vars["release"] == {"A": "release"}
    # A change that another layer hides makes no release, whichever layer that is.
    hidden = app(CREATED, *deployed(**environment(vars={"A": "release"})), VarsChanged(scope=APP, set={"A": "hidden"}))
    assert release_facts(hidden, network(INHERITED), "none") == []


def test_a_rollback_brings_them_back() -> None:
    facts = deployed(*deployed(**environment(vars={"A": "release"})))
    started = rollback.decide(app(CREATED, *facts), 1, "", "none")[-2]
    assert isinstance(started, DeployStarted)
    assert (started.environment, started.supplied.vars["release"]) == ("staging", {"A": "release"})


def test_they_are_told_by_name() -> None:
    state = app(CREATED, *deployed(**environment(vars={"A": "release", "Z": "1"})))
    release = release_of(state, 1, url="")
    assert (release.environment, release.overrides) == ("staging", ["A", "Z"])
    shown = app_of(state, url="", hostname="")
    assert (shown.environment, shown.overrides) == ("staging", ["A", "Z"])


@pytest.mark.parametrize(
    ("name", "value", "code", "said"),
    [
        ("PORT", "80", "invalid_data", "port of its own"),
        ("A", "x\0", "invalid_data", "zero byte"),
        ("A", "x" * 65537, "too_large", "65536"),
    ],
)
def test_the_platform_refuses_what_no_environment_can_have(name: str, value: str, code: str, said: str) -> None:
    with pytest.raises(RigError) as caught:
        begin(vars={name: value})
    assert caught.value.code == code
    assert said in caught.value.message


@pytest.mark.parametrize(("name", "value"), [("my-name", "1"), ("PORT", "1"), ("A", "")])
def test_so_does_the_client_before_it_sends_anything(name: str, value: str) -> None:
    with pytest.raises(RigError) as caught:
        check_vars(Deploy(app=APP, var={name: value}))
    assert caught.value.code == "invalid_data"
    assert caught.value.hint


def test_a_deployment_that_goes_on_has_them_still() -> None:
    fact = CommandReceived(command="deploy", arguments={"app": APP, "env": "staging", "var": {"A": "1"}})
    record: Any = SimpleNamespace(fact=fact)
    earlier = Unsettled("key", record, 1)
    again = with_arguments(Deploy(app=APP, resume=True), earlier)
    assert (again.env, again.var) == ("staging", {"A": "1"})
    assert with_arguments(Deploy(app=APP, var={"A": "2"}), earlier).var == {"A": "2"}


class Files:
    """A folder with a `rig.toml` whose environment `staging` changes a variable and adds one."""

    def __init__(self) -> None:
        self.ports = self

    def project(self, folder: str, environment: str = "") -> ProjectFile:
        staging = Environment(env={"A": "staging", "B": "staging"})
        return ProjectFile(env={"A": "file", "C": "file"}, environments={"staging": staging, "bare": Environment()})

    def app_config(self, folder: str, environment: str = "") -> AppConfig:
        file = self.project(folder)
        overlay = file.environments[environment].env if environment else None
        return AppConfig(env={**file.env, **(overlay or {})})


def test_what_an_environment_says_is_sent_apart_from_the_rest() -> None:
    files: Any = Files()
    staging = configured(Deploy(app=APP, env="staging"), files)
    assert staging == (AppConfig(env={"A": "file", "C": "file"}), {"A": "staging", "B": "staging"})
    assert configured(Deploy(app=APP, env="bare"), files)[1] == {}
    assert configured(Deploy(app=APP), files) == (AppConfig(env={"A": "file", "C": "file"}), {})
