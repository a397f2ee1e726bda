"""Secrets of a build: given what a release names, its build gets that, its processes do not, and its id differs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from events.app import DeployStarted
from events.config import SecretRef, SecretsChanged, Supplied, VarsChanged
from rig.clients.project import parse_project
from rig.contract.project import AppConfig, BuildConfig
from rig.contract.releases import StartRelease
from rig.kernel.errors import RigError
from rig.node.deploy.keys import build_key
from rig.node.handlers import start_release
from rig.node.variables.resolve import build_environment, build_secrets, environment, plain, secret_names
from tests.unit.given import APP, BUNDLE, CREATED, app, network

OLD, NEW, SAME = (SecretRef(version=v, digest=d) for v, d in ((1, "d1"), (2, "d2"), (3, "d1")))
SCOPES = {"network": "demo", "app": APP}


def config(*names: str) -> AppConfig:
    return AppConfig(build=BuildConfig(secrets=list(names)))


def release(*names: str, token: SecretRef = OLD) -> DeployStarted:
    supplied = Supplied(
        vars={"app": {"A": "1"}}, secrets={"network": {"TOKEN": NEW, "INHERITED": OLD}, "app": {"TOKEN": token}}
    )
    made: dict[str, Any] = msgspec.to_builtins(config(*names))
    return DeployStarted(app=APP, version=1, bundle=BUNDLE, config=made, supplied=supplied)


def reveal(scope: str, name: str, version: int) -> str:
    return f"{scope} {name} {version}"


def key(*names: str, token: SecretRef = OLD) -> str:
    return build_key(release(*names, token=token), config(*names), "none")


def test_a_build_gets_no_secret_by_itself() -> None:
    assert build_environment(release(), SCOPES, reveal) == plain(release()) == {"A": "1"}
    assert environment(release(), SCOPES, reveal).keys() == {"A", "TOKEN", "INHERITED"}


def test_what_it_names_it_gets_and_the_processes_do_not() -> None:
    started = release("TOKEN", "NONE", "A")
    assert build_environment(started, SCOPES, reveal) == {"A": "1", "TOKEN": f"{APP} TOKEN 1"}
    assert environment(started, SCOPES, reveal) == {"A": "1", "INHERITED": "demo INHERITED 1"}
    assert (secret_names(started), build_secrets(started)) == (["INHERITED"], {"TOKEN": OLD})


def test_another_value_is_another_build_and_the_same_value_the_same() -> None:
    assert key("TOKEN") != key("TOKEN", token=NEW)
    assert key("TOKEN") == key("TOKEN", token=SAME)
    assert key() == key(token=NEW), "a secret that no build gets is no part of it"
    assert len({key(), key("TOKEN"), key("INHERITED"), key("TOKEN", "INHERITED")}) == 4


def begin(*names: str, facts: tuple[Any, ...] = (CREATED,), inherited: tuple[Any, ...] = ()) -> None:
    command = StartRelease(app=APP, bundle=BUNDLE, config=config(*names), create=True)
    start_release.decide(app(*facts), command, "none", network(*inherited))


def test_a_release_begins_with_the_secrets_of_its_build() -> None:
    begin("TOKEN", facts=(CREATED, SecretsChanged(scope=APP, set={"TOKEN": OLD})))
    begin("TOKEN", inherited=(SecretsChanged(scope="demo", set={"TOKEN": OLD}),))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ((CREATED,), f"Set it first: `rig create secret {APP} TOKEN`."),
        ((), f"`rig create app {APP}`, then `rig create secret {APP} TOKEN`."),
        ((CREATED, VarsChanged(scope=APP, set={"TOKEN": "1"})), "take it off the list"),
    ],
)
def test_and_not_without(facts: tuple[Any, ...], said: str) -> None:
    with pytest.raises(RigError) as caught:
        begin("TOKEN", facts=facts)
    assert caught.value.code == "bad_config"
    assert "`TOKEN`" in caught.value.message
    assert said in caught.value.hint


def test_rig_toml_names_them() -> None:
    text = '[build]\nsecrets = ["NPM_TOKEN"]\n[environments.prod.build]\nsecrets = []\n'
    assert parse_project(text.encode()).config.build.secrets == ["NPM_TOKEN"]
    assert parse_project(text.encode(), environment="prod").config.build.secrets == []
    with pytest.raises(RigError) as caught:
        parse_project(b'[build]\nsecrets = ["npm-token"]\n')
    assert "rig.toml, line 2: `secrets` in [build] cannot be `['npm-token']`" in caught.value.message
    assert "letters, digits and `_`" in caught.value.hint
