"""What applying a document comes to: facts of the network and of its apps, and what it takes consent for."""

from __future__ import annotations

import msgspec
import pytest

from events.app import (
    AppCreated,
    AppDeleted,
    AppLimited,
    AppScaled,
    AppScaleReset,
    AppState,
    DeployBuilt,
    DeployStarted,
    evolve,
)
from events.base import Fact, Happened
from events.config import SecretsChanged, VarsChanged
from events.network import NetworkConfigured, NetworkState
from events.network import evolve as evolve_network
from rig.contract.configuration import ApplyNetworkConfig, AppTable, Configuration
from rig.kernel.errors import RigError
from rig.node.configuration.apply import Decided, decide
from rig.node.configuration.live import applied_of, document_of, drift_of, wanted_of
from rig.node.rules import MAX_APPS
from tests.unit.documents import LIMITED, MADE, SECRET, document, hello
from tests.unit.given import ANA, APP, CREATED, app, network, served, started


def asked(document: Configuration, **consent: bool) -> ApplyNetworkConfig:
    return ApplyNetworkConfig(network="demo", document=document, **consent)


def after(net: NetworkState, apps: dict[str, AppState], done: Decided) -> tuple[NetworkState, dict[str, AppState]]:
    """The states that follow."""
    for fact in done.network:
        net = evolve_network(net, fact, ANA)
    states = dict(apps)
    for name, facts in done.apps.items():
        for fact in facts:
            states[name] = evolve(states.get(name, AppState()), fact, ANA)
    return net, {name: state for name, state in states.items() if state.exists}


def refused(net: NetworkState, apps: dict[str, AppState], command: ApplyNetworkConfig) -> RigError:
    with pytest.raises(RigError) as caught:
        decide(net, apps, command, "none")
    assert caught.value.hint
    return caught.value


def test_all_apps_at_once_and_then_nothing_to_do() -> None:
    apps = {APP: app(CREATED, *served(1))}
    file = document(
        {"hello": AppTable(env={"A": "1"}, processes={"web": 2}), "new": AppTable(env={"B": "2"}, secrets={"S": ""})}
    )
    done = decide(network(MADE), apps, asked(file), "none")
    applied = NetworkConfigured(name="demo", document=msgspec.to_builtins(file))
    assert done.network == [applied]
    assert list(done.apps) == [APP, "demo/new"]
    variables, scaled, begun, built = done.apps[APP]
    assert (variables, scaled) == (VarsChanged(scope=APP, set={"A": "1"}), AppScaled(name=APP, scale={"web": 2}))
    assert isinstance(begun, DeployStarted)
    assert (begun.version, begun.changed, begun.supplied.vars) == (2, ["env.A"], {"app": {"A": "1"}})
    assert isinstance(built, DeployBuilt)
    assert done.apps["demo/new"] == [AppCreated(name="demo/new"), VarsChanged(scope="demo/new", set={"B": "2"})]
    assert (done.releases, done.changes) == ({APP: 2}, 4)

    net, states = after(network(MADE), apps, done)
    assert net.applied is not None
    assert (net.applied.by, net.applied.at) == (ANA.actor, ANA.at)
    assert applied_of(net) == file
    again = decide(net, states, asked(file), "none")
    assert (again.network, again.apps, again.changes) == ([], {}, 0)


def test_what_a_network_gives_releases_the_apps_that_inherit_it() -> None:
    two = "demo/two"
    apps = {
        APP: app(CREATED, *served(1)),
        two: app(AppCreated(name=two), *served(1), VarsChanged(scope=two, set={"A": "own"})),
        "demo/empty": app(AppCreated(name="demo/empty")),
    }
    done = decide(network(MADE), apps, asked(document(env={"A": "1"})), "none")
    assert done.releases == {APP: 2, two: 2}  # the second has a value of its own that no release has taken
    assert [type(fact) for fact in done.network] == [VarsChanged, NetworkConfigured]
    busy = {APP: app(CREATED, *served(1), started(2))}
    done = decide(network(MADE), busy, asked(document(env={"A": "1"})), "none")
    assert (done.releases, done.later) == ({}, [APP])


def test_a_scale_alone_makes_no_release() -> None:
    staged = app(CREATED, *served(1), VarsChanged(scope=APP, set={"STAGED": "1"}))
    done = decide(network(MADE), {APP: staged}, asked(hello(processes={"web": 3})), "none")
    assert done.apps == {APP: [AppScaled(name=APP, scale={"web": 3})]}


def given_applied(file: Configuration, *facts: Fact) -> tuple[NetworkState, dict[str, AppState]]:
    net = network(MADE, NetworkConfigured(name="demo", document=msgspec.to_builtins(file)))
    return net, {APP: app(CREATED, *served(1), *facts)}


SCALED = (VarsChanged(scope=APP, set={"A": "1"}), AppScaled(name=APP, scale={"web": 3}), SECRET)

FULL = hello(env={"A": "1"}, processes={"web": 3}, secrets={"KEY": ""})


def test_what_is_gone_from_the_file_goes_with_consent_alone() -> None:
    net, apps = given_applied(FULL, *SCALED)
    error = refused(net, apps, asked(hello()))
    assert (error.code, error.details["keys"]) == (
        "conflict",
        ["apps.hello.env.A", "apps.hello.processes.web", "apps.hello.secrets.KEY"],
    )
    done = decide(net, apps, asked(hello(), allow_removal=True), "none")
    assert done.apps[APP][:3] == [
        VarsChanged(scope=APP, removed=["A"], before={"A": "1"}),
        SecretsChanged(scope=APP, removed=["KEY"], before=SECRET.set),
        AppScaleReset(name=APP, processes=["web"]),
    ]
    _, states = after(net, apps, done)
    assert (states[APP].scale, states[APP].config.settings) == ({}, {})


def test_fewer_processes_take_consent_too() -> None:
    net, apps = given_applied(FULL, *SCALED)
    fewer = hello(env={"A": "1"}, processes={"web": 1}, secrets={"KEY": ""})
    assert "apps.hello.processes.web" in refused(net, apps, asked(fewer)).message
    done = decide(net, apps, asked(fewer, allow_removal=True), "none")
    assert done.apps == {APP: [AppScaled(name=APP, scale={"web": 1})]}


def test_an_app_goes_only_if_that_was_said_by_itself() -> None:
    net, apps = given_applied(FULL, *SCALED)
    assert "--delete-apps" in refused(net, apps, asked(document(), allow_removal=True)).hint
    assert "--yes" in refused(net, apps, asked(document(), delete_apps=True)).hint
    done = decide(net, apps, asked(document(), allow_removal=True, delete_apps=True), "none")
    assert done.apps == {APP: [AppDeleted(name=APP)]}
    busy = {APP: app(CREATED, *served(1), started(2))}
    assert refused(net, busy, asked(document(), allow_removal=True, delete_apps=True)).code == "locked"


@pytest.mark.parametrize(
    ("file", "code", "said"),
    [
        (hello(secrets={"KEY": "", "GONE": ""}), "not_found", "rig create secret demo/hello GONE"),
        (document(secrets={"OURS": ""}), "not_found", "rig create secret --network demo OURS"),
        (hello(processes={"cat": 1}), "invalid_data", "no process type `cat`"),
        (hello(env={"PORT": "1"}), "invalid_data", "port of its own"),
        (hello(memory={"cat": "1G"}), "invalid_data", "no process type `cat`"),
        (hello(memory="1K"), "invalid_data", "No process can live"),
        (hello(env={"KEY": "1"}), "conflict", "rig delete secret demo/hello KEY"),
        (document(env={"PORT": "1"}), "invalid_data", "port of its own"),
    ],
    ids=str,
)
def test_one_thing_that_is_wrong_and_nothing_is_done(file: Configuration, code: str, said: str) -> None:
    error = refused(network(MADE), {APP: app(CREATED, *served(1), SECRET)}, asked(file))
    assert error.code == code
    assert said in error.message + error.hint


def test_an_app_that_is_being_deployed_is_not_changed_under_way() -> None:
    apps = {APP: app(CREATED, *served(1), started(2))}
    assert refused(network(MADE), apps, asked(hello(env={"A": "1"}))).code == "locked"


def test_an_app_that_was_never_deployed_may_get_its_secrets_and_processes_later() -> None:
    file = document({"new": AppTable(secrets={"KEY": ""}, processes={"worker": 2})})
    done = decide(network(MADE), {}, asked(file), "none")
    assert done.apps["demo/new"] == [AppCreated(name="demo/new"), AppScaled(name="demo/new", scale={"worker": 2})]


def test_drift_says_who_did_it() -> None:
    by_bea = Happened(ANA.at + 1, "user:bea")
    net, apps = given_applied(FULL, *SCALED)
    assert drift_of(net, apps) == []
    assert drift_of(network(MADE), apps) == []
    apps[APP] = evolve(apps[APP], VarsChanged(scope=APP, set={"A": "2"}), by_bea)
    apps[APP] = evolve(apps[APP], SecretsChanged(scope=APP, removed=["KEY"]), by_bea)
    found = [(one.key, one.what, one.set_by) for one in drift_of(net, apps)]
    assert found == [("apps.hello.env.A", "changed", "user:bea"), ("apps.hello.secrets.KEY", "removed", "")]
    assert next(one.key for one in drift_of(net, {})) == "apps.hello"


def test_limits_of_memory_are_part_of_the_release_that_is_made() -> None:
    apps = {APP: app(CREATED, *served(1), LIMITED)}
    file = hello(memory={"web": "2G"})
    with pytest.raises(RigError, match="cannot be limited") as caught:
        decide(network(MADE), apps, asked(file), "none", "it has no cgroups")
    assert caught.value.code == "bad_config"
    done = decide(network(MADE), apps, asked(file), "none")
    limited, begun, _ = done.apps[APP]
    assert limited == AppLimited(name=APP, memory={"*": 512 << 20, "web": 2 << 30}, before=LIMITED.memory)
    assert isinstance(begun, DeployStarted)
    assert (begun.version, begun.supplied.memory) == (2, {"*": 512 << 20, "web": 2 << 30})

    net, limited_before = given_applied(hello(memory={"*": "512M", "web": "1G"}), LIMITED)
    gone = decide(net, limited_before, asked(hello(), allow_removal=True), "none", "it has no cgroups")
    assert gone.apps[APP][0] == AppLimited(name=APP, before=LIMITED.memory)


def test_what_is_live_is_what_was_set_and_not_what_releases_say() -> None:
    state = app(CREATED, *served(1, env={"A": "of rig.toml"}), VarsChanged(scope=APP, set={"B": "1"}))
    assert document_of(network(MADE), {APP: state}) == hello(env={"B": "1"})
    assert wanted_of({APP: state}) == {"apps.hello.processes.web": 1}


def test_a_document_that_a_newer_rig_wrote_is_none_that_can_be_compared() -> None:
    net = network(MADE, NetworkConfigured(name="demo", document={"network": "demo", "moons": 2}))
    assert applied_of(net) is None
    assert drift_of(net, {}) == []


def test_there_is_room_for_so_many_apps() -> None:
    """Apps that are there count, and those that go with the same apply make no room for others yet."""
    wanted = document({f"app{number}": AppTable() for number in range(MAX_APPS)})
    assert len(decide(network(MADE), {}, asked(wanted), "none").apps) == MAX_APPS
    with pytest.raises(RigError) as refused:
        decide(network(MADE), {APP: app(CREATED)}, asked(wanted), "none")
    assert refused.value.code == "conflict"
    assert f"{MAX_APPS} is the limit" in refused.value.message
    assert decide(network(MADE), {APP: app(CREATED)}, asked(hello(env={"A": "1"})), "none").apps
