"""Folding facts: what a network, an app, an account and a witness are after what happened."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import account, witness
from events import app as app_stream
from events import network as network_stream
from events.account import (
    AccountInvited,
    AccountJoined,
    AccountState,
    AuthFailed,
    AuthSucceeded,
    RoleGranted,
    TokenRevoked,
)
from events.app import (
    AppCrashed,
    AppDeleted,
    AppScaled,
    AppState,
    AppStopped,
    DeployBuilt,
    DeployFailed,
    DeployRolledBack,
    DeploySucceeded,
)
from events.base import Fact, Happened
from events.config import SecretRef, SecretsChanged, VarsChanged
from events.network import NetworkCreated, NetworkDeleted, NetworkState, NetworkUpdated
from events.node import NodeStopped
from events.witness import JournalRegistered, WitnessState
from tests.unit.given import ANA, APP, CREATED, NOW, app, network, served, started

FAILED = DeployFailed(app=APP, version=2, code="build_failed", reason="It did not build.")


def test_a_network_from_its_making_to_its_end_and_again() -> None:
    made, gone = NetworkCreated(name="demo"), NetworkDeleted(name="demo")
    there = NetworkState(name="demo", exists=True, created_at=NOW, created_by="user:ana", revision=1)
    assert network() == NetworkState()
    assert network(made) == there
    assert network(made, gone) == NetworkState(name="demo", revision=2)
    again = network(made, gone, made)
    assert again == msgspec.structs.replace(there, revision=3), "whoever saw the first one has not seen this one"


def test_what_is_said_of_a_network() -> None:
    made, named = NetworkCreated(name="demo"), NetworkUpdated(name="demo", description="Shops")
    state = network(made, named, NetworkUpdated(name="demo", protected=True))
    assert (state.description, state.protected, state.revision) == ("Shops", True, 3)
    assert network(made, named, NetworkUpdated(name="demo", description="")).description == ""


def test_an_app_that_was_made() -> None:
    made = AppState(name=APP, exists=True, created_at=NOW, created_by="user:ana", updated_at=NOW, revision=1)
    assert app(CREATED) == made


def test_a_release_on_its_way_and_when_it_serves() -> None:
    state = app(CREATED, started(1))
    assert (state.pending, state.current, state.last) == (1, 0, 1)
    assert state.releases[1].outcome == "pending"
    state = app(CREATED, *served(1))
    assert (state.pending, state.current, state.last) == (0, 1, 1)
    release = state.releases[1]
    assert (release.outcome, release.build, release.rebuilt, release.processes) == (
        "succeeded",
        "build-1",
        True,
        {"web": "./serve"},
    )
    assert (release.created_at, release.created_by, release.finished_at) == (NOW, "user:ana", NOW)


def test_a_release_that_fails_leaves_the_one_before() -> None:
    state = app(CREATED, *served(1), started(2), FAILED)
    assert (state.pending, state.current, state.last) == (0, 1, 2)
    assert state.releases[2].failure == FAILED
    assert state.releases[2].outcome == "failed"


def test_numbers_go_on_when_an_app_is_made_anew() -> None:
    state = app(CREATED, *served(1), *served(2), AppDeleted(name=APP))
    assert state == AppState(name=APP, last=2, revision=4)
    assert app(CREATED, *served(1), AppDeleted(name=APP), CREATED).last == 1


def test_what_was_scaled_is_kept_and_laid_over() -> None:
    state = app(CREATED, AppScaled(name=APP, scale={"web": 2}), AppScaled(name=APP, scale={"worker": 1}), *served(1))
    assert state.scale == {"web": 2, "worker": 1}


@pytest.mark.parametrize(
    "after", [served(2), [AppScaled(name=APP, scale={"web": 2})]], ids=["a new release", "a new scale"]
)
def test_a_crash_is_forgotten_with_what_starts_anew(after: list[Fact]) -> None:
    crash = AppCrashed(name=APP, instance="web.1", version=1, reason="exit 1")
    assert app(CREATED, *served(1), crash).crashed == {"web.1": "exit 1"}
    assert app(CREATED, *served(1), crash, *after).crashed == {}


def test_a_crash_of_a_release_that_was_replaced_says_nothing_of_the_one_that_serves() -> None:
    crash = AppCrashed(name=APP, instance="web.1", version=1, reason="exit 1")
    assert app(CREATED, *served(1), *served(2), crash).crashed == {}


def test_facts_of_releases_that_are_not_there_change_nothing_but_what_they_say() -> None:
    assert app(CREATED, DeployRolledBack(app=APP, version=2, restored=1)) == app(CREATED)
    assert app(CREATED, FAILED).releases == {}


def test_an_account() -> None:
    def fold(*facts: Fact) -> AccountState:
        state = AccountState()
        for fact in facts:
            state = account.evolve(state, fact, ANA)
        return state

    invited = AccountInvited(name="bea", network="demo", role="viewer", expires_at="2026-11-01T00:00:00Z")
    joined = AccountJoined(name="bea", network="demo", role="viewer")
    assert fold(invited) == AccountState(revisions={"demo": 1})
    assert fold(invited, joined) == AccountState(roles={"demo": "viewer"}, revisions={"demo": 2})
    granted = RoleGranted(name="bea", network="shop", role="owner")
    assert fold(invited, joined, granted).roles == {"demo": "viewer", "shop": "owner"}
    came, went = AuthSucceeded(method="device", session="s1"), TokenRevoked(session="s1", reason="logout")
    assert fold(granted, came, AuthFailed(method="device", reason="passphrase"), went) == fold(granted)


def test_a_witness_holds_a_journal_to_its_newest_key() -> None:
    registered = JournalRegistered(origin="rig/client/1", key="rig/client/1+00+A")
    assert witness.evolve(WitnessState(), registered, ANA) == WitnessState("rig/client/1+00+A")


def test_a_stream_passes_over_facts_of_others() -> None:
    stranger = NodeStopped()
    assert network(NetworkCreated(name="demo"), stranger).exists
    assert app(CREATED, stranger) == app(CREATED)
    assert account.evolve(AccountState(), stranger, ANA) == AccountState()
    assert witness.evolve(WitnessState(), stranger, ANA) == WitnessState()


names = st.sampled_from(["A", "B", "C", "D"])
versions = st.integers(1, 4)
app_facts = st.one_of(
    st.just(CREATED),
    st.just(AppDeleted(name=APP)),
    st.just(AppStopped(name=APP)),
    st.builds(AppScaled, name=st.just(APP), scale=st.dictionaries(names, st.integers(0, 3), max_size=2)),
    st.builds(AppCrashed, name=st.just(APP), instance=names, version=versions, reason=names),
    st.builds(started, versions),
    st.builds(DeployBuilt, app=st.just(APP), version=versions, build=names),
    st.builds(DeploySucceeded, app=st.just(APP), version=versions),
    st.builds(DeployFailed, app=st.just(APP), version=versions, code=names, reason=names),
)
config_facts = st.one_of(
    st.builds(VarsChanged, scope=names, set=st.dictionaries(names, names), removed=st.lists(names, max_size=2)),
    st.builds(
        SecretsChanged,
        scope=names,
        set=st.dictionaries(names, st.builds(SecretRef, version=versions, digest=names)),
        removed=st.lists(names, max_size=2),
    ),
)


@given(st.lists(st.one_of(app_facts, config_facts), max_size=30))
def test_folding_an_app_in_place_comes_to_the_same(facts: list[Fact]) -> None:
    before, owned = [AppState()], AppState()
    for number, fact in enumerate(facts):
        before.append(app_stream.evolve(before[-1], fact, Happened(number, "user:ana")))
        owned = app_stream.evolve(owned, fact, Happened(number, "user:ana"), owned=True)
    assert owned == before[-1]
    # Neither way has touched a state that others have: not one of those before, and not what new ones begin with.
    again = AppState()
    for number, fact in enumerate(facts):
        assert again == before[number]
        again = app_stream.evolve(again, fact, Happened(number, "user:ana"))
    assert AppState().config.settings == {}


@given(st.lists(st.one_of(st.sampled_from([NetworkCreated(name="demo"), NetworkDeleted(name="demo")]), config_facts)))
def test_folding_a_network_in_place_comes_to_the_same(facts: list[Fact]) -> None:
    owned = NetworkState()
    for fact in facts:
        owned = network_stream.evolve(owned, fact, ANA, owned=True)
    assert owned == network(*facts)
    assert NetworkState().config.settings == {}
