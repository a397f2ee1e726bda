"""Changes of variables: given what is set, when this is asked for, then these are the facts, or this is why not."""

from __future__ import annotations

from typing import Any

import pytest

from events.app import DeployBuilt, DeployStarted
from events.base import Fact
from events.config import ConfigState, SecretRef, SecretsChanged, Supplied, VarsChanged
from handlers import changing
from rig.contract.variables import MAX_TOTAL, ChangeVariables, VariablesChange
from rig.kernel.bus import fingerprint, holds_secret, public_arguments
from rig.kernel.errors import RigError
from rig.node.handlers import rollback
from rig.node.variables.change import check, decide, diffs, release_facts, restore
from tests.unit.given import ANA, APP, CREATED, app, network, served

OLD, NEW = SecretRef(version=1, digest="old"), SecretRef(version=9, digest="new")
SET = VarsChanged(scope=APP, set={"A": "1", "B": "2"})
SECRET = SecretsChanged(scope=APP, set={"S": OLD})


def asked(**what: Any) -> ChangeVariables:
    return ChangeVariables(app=APP, **what)


def config(*facts: Fact) -> ConfigState:
    return app(CREATED, *facts).config


def test_what_is_set_is_known_with_who_set_it_and_when() -> None:
    state = config(SET, SECRET, VarsChanged(scope=APP, set={"B": "3"}, removed=["A"], before={"A": "1", "B": "2"}))
    assert (state.vars, state.secrets, state.revision) == ({"B": "3"}, {"S": OLD}, 3)
    assert (state.settings["S"].set_by, state.settings["S"].set_at) == (ANA.actor, ANA.at)


def test_a_change_is_one_fact_of_each_kind_with_what_was_before() -> None:
    facts = decide(
        APP,
        config(SET, SECRET),
        asked(set_vars={"A": "one", "B": "2", "C": "3"}, set_secrets={"S": "x", "T": "y"}),
        {"S": NEW, "T": NEW},
    )
    assert facts == [
        VarsChanged(scope=APP, set={"A": "one", "C": "3"}, before={"A": "1"}),
        SecretsChanged(scope=APP, set={"S": NEW, "T": NEW}, before={"S": OLD}),
    ]
    variables, secrets = diffs(facts)
    assert changing.decide(VariablesChange(target=APP, vars=variables, secrets=secrets)) == facts


def test_what_is_so_already_is_no_change() -> None:
    assert decide(APP, config(SET, SECRET), asked(set_vars={"A": "1"}, set_secrets={"S": "x"}), {"S": OLD}) == []


def test_removing_says_what_was_removed() -> None:
    facts = decide(APP, config(SET, SECRET), asked(unset_vars=["A"], unset_secrets=["S"]), {})
    assert facts == [
        VarsChanged(scope=APP, removed=["A"], before={"A": "1"}),
        SecretsChanged(scope=APP, removed=["S"], before={"S": OLD}),
    ]
    variables, secrets = diffs(facts)
    assert changing.decide(VariablesChange(target=APP, vars=variables, secrets=secrets)) == facts


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [
        ({}, "usage", "Nothing to change"),
        ({"set_vars": {"PORT": "1"}}, "invalid_data", "port of its own"),
        ({"set_secrets": {"HOME": "1"}}, "invalid_data", "home folder"),
        ({"set_vars": {"A": "a\0b"}}, "invalid_data", "zero byte"),
        ({"set_vars": {"A": "ü" * 40_000}}, "too_large", "65536 bytes"),
        ({"set_vars": {f"V{n}": "x" * 60_000 for n in range(5)}}, "too_large", str(MAX_TOTAL)),
        ({"set_secrets": {"T": ""}}, "invalid_data", "empty"),
        ({"set_vars": {"A": "1"}, "unset_vars": ["A"]}, "invalid_data", "named twice"),
        ({"set_vars": {"S": "1"}}, "conflict", "rig delete secret"),
        ({"set_secrets": {"A": "1"}}, "conflict", "rig delete var"),
        ({"unset_vars": ["Z"]}, "not_found", "no variable `Z`"),
        ({"unset_secrets": ["Z"]}, "not_found", "no secret `Z`"),
    ],
)
def test_what_is_refused(what: dict[str, Any], code: str, said: str) -> None:
    with pytest.raises(RigError) as caught:
        check(APP, asked(**what), config(SET, SECRET))
    assert caught.value.code == code
    assert said in caught.value.message + caught.value.hint


def test_a_deployed_app_gets_a_release_of_the_same_build() -> None:
    state = app(CREATED, *served(1, env={"A": "file"}), SET)
    started, built = release_facts(state, network(), "none")
    assert isinstance(started, DeployStarted)
    assert (started.version, started.previous, started.changed) == (2, 1, ["env.A", "env.B"])
    assert started.supplied == Supplied(vars={"app": {"A": "1", "B": "2"}})
    assert built == DeployBuilt(app=APP, version=2, build="build-1", processes={"web": "./serve"})


def test_no_release_where_no_process_would_notice() -> None:
    assert release_facts(app(CREATED, SET), network(), "none") == []
    inherited = network(VarsChanged(scope="demo", set={"A": "of the network"}))
    assert release_facts(app(CREATED, *served(1, env={"A": "file"})), inherited, "none") == []


def test_a_rollback_goes_on_from_the_variables_that_it_restores() -> None:
    state = app(CREATED, SET, SECRET)
    began = release_facts(app(CREATED, *served(1), SET, SECRET), network(), "none")
    state = app(
        CREATED,
        *served(1),
        SET,
        SECRET,
        *began,
        *served(2)[2:],
        VarsChanged(scope=APP, set={"A": "9"}, removed=["B"], before={"A": "1", "B": "2"}),
        SecretsChanged(scope=APP, set={"S": NEW}, before={"S": OLD}),
        *served(3),
    )
    variables, secrets, started, _ = rollback.decide(state, 2, "", "none")
    assert variables == VarsChanged(scope=APP, set={"A": "1", "B": "2"}, before={"A": "9"})
    assert secrets == SecretsChanged(scope=APP, set={"S": OLD}, before={"S": NEW})
    assert isinstance(started, DeployStarted)
    assert started.supplied == state.releases[2].started.supplied
    assert restore(APP, config(SET), Supplied(secrets={"app": {"A": OLD}})) == [
        VarsChanged(scope=APP, removed=["B"], before={"B": "2"}),
        SecretsChanged(scope=APP, set={"A": OLD}),
    ]


def test_a_secret_stands_in_no_record_of_the_command() -> None:
    command = asked(set_vars={"A": "1"}, set_secrets={"S": "hunter2"})
    assert public_arguments(command) == {"app": APP, "set_vars": {"A": "1"}}
    assert holds_secret(command)
    assert not holds_secret(asked(set_vars={"A": "1"}))
    assert fingerprint(command) != fingerprint(asked(set_vars={"A": "1"}, set_secrets={"S": "hunter3"}))
