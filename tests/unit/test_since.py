"""What was changed since somebody looked: which key, from what to what, by whom, when."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from events.account import (
    AccountInvited,
    AccountJoined,
    AuthSucceeded,
    RoleGranted,
    RoleRevoked,
    TokenCreated,
    TokenDeleted,
)
from events.app import AppCrashed, AppLimited, AppScaled, AppStopped
from events.base import Fact
from events.config import SecretRef, SecretsChanged, VarsChanged
from events.network import NetworkCreated, NetworkUpdated
from rig.contract.networks import UpdateNetwork
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Recorded
from rig.node.handlers.update_network import decide
from rig.node.rules import require_unprotected
from rig.node.since import APP_VARIABLES, APPS, LONGEST, NETWORKS, TOKENS, Kind, changes_since, member_of
from tests.unit.given import APP, CREATED, NOW, network, served, started

WHO = ("user:ana", "user:bea", "token:ci")


def records(*facts: Fact) -> list[Recorded]:
    """Each by somebody else than the one before."""
    return [
        Recorded(
            pos=pos,
            id=str(pos),
            stream="s",
            ver=pos + 1,
            at=NOW + pos,
            actor=WHO[pos % 3],
            outcome="success",
            target="",
            src="",
            session="",
            corr="",
            caus="",
            idem="",
            fact=fact,
        )
        for pos, fact in enumerate(facts)
    ]


def since(kind: Kind[Any], revision: int, *facts: Fact) -> list[tuple[str, str, str, str]]:
    found = changes_since(kind, records(*facts), revision)
    assert all(one["at"] == rfc3339(NOW) for one in found)
    return [(one["key"], one["from"], one["to"], one["by"]) for one in found]


def test_every_setting_of_an_app_is_told() -> None:
    facts = [
        CREATED,
        VarsChanged(scope=APP, set={"A": "1"}),
        AppScaled(name=APP, scale={"web": 3}),
        AppLimited(name=APP, memory={"*": 5}),
        AppStopped(name=APP),
        SecretsChanged(scope=APP, set={"KEY": SecretRef(version=2, digest="d" * 64)}),
        VarsChanged(scope=APP, set={"A": "2"}, before={"A": "1"}),
        started(1),
    ]
    assert since(APPS, 1, *facts) == [
        ("env.A", "none", "1", "user:bea"),
        ("scale.web", "none", "3", "token:ci"),
        ("memory", "none", "5", "user:ana"),
        ("stopped", "no", "yes", "user:bea"),
        ("secret.KEY", "none", "d" * 12, "token:ci"),
        ("env.A", "1", "2", "user:ana"),
        ("release", "v0", "v1", "user:bea"),
    ]
    assert since(APPS, 7, *facts) == [("release", "v0", "v1", "user:bea")]
    assert since(APPS, 8, *facts) == []


def test_of_variables_nothing_else_is_told() -> None:
    facts = [
        CREATED,
        VarsChanged(scope=APP, set={"A": "1", "B": "x" * 65536}),
        AppScaled(name=APP, scale={"web": 3}),
        VarsChanged(scope=APP, removed=["A"], before={"A": "1"}),
        SecretsChanged(scope=APP, set={"KEY": SecretRef(version=3, digest="d" * 64)}),
    ]
    removed = ("env.A", "1", "none", "user:ana")
    assert since(APP_VARIABLES, 2, *facts) == [("secret.KEY", "none", "d" * 12, "user:bea")]
    assert since(APP_VARIABLES, 1, *facts) == [removed, ("secret.KEY", "none", "d" * 12, "user:bea")]
    long = since(APP_VARIABLES, 0, *facts)[1]
    assert long == ("env.B", "none", "x" * LONGEST + "…", "user:bea"), "a long value is cut"


def test_what_nobody_decided_is_no_change() -> None:
    crash = AppCrashed(name=APP, instance="web.1", version=1, reason="exit 1")
    assert since(APPS, 2, CREATED, *served(1), crash) == []


def test_a_network_that_was_changed() -> None:
    facts = [NetworkCreated(name="demo"), NetworkUpdated(name="demo", protected=True)]
    assert since(NETWORKS, 1, *facts) == [("protected", "no", "yes", "user:bea")]


def test_a_role_is_told_of_one_network_alone() -> None:
    facts = [
        AccountInvited(name="bea", network="demo", role="viewer", expires_at=""),
        AccountJoined(name="bea", network="demo", role="viewer"),
        AuthSucceeded(method="device", session="s"),
        RoleGranted(name="bea", network="shop", role="owner"),
        RoleGranted(name="bea", network="demo", role="operator"),
        RoleRevoked(name="bea", network="demo", role="operator"),
    ]
    assert since(member_of("demo"), 2, *facts) == [
        ("role", "viewer", "operator", "user:bea"),
        ("role", "operator", "none", "token:ci"),
    ]
    assert since(member_of("shop"), 1, *facts) == []


def test_a_token_that_was_made_anew() -> None:
    made = TokenCreated(name="ci", network="demo", role="deployer", expires_at="")
    again = msgspec.structs.replace(made, role="owner")
    gone = TokenDeleted(name="ci", network="demo", role="deployer")
    assert since(TOKENS, 1, made, gone, again) == [
        ("token", "deployer of demo", "none", "user:bea"),
        ("token", "none", "owner of demo", "token:ci"),
    ]


def test_a_network_says_what_it_is_for_and_may_be_protected() -> None:
    state = network(NetworkCreated(name="demo"))
    assert decide(state, "Shops", None) == [NetworkUpdated(name="demo", description="Shops")]
    assert decide(state, "", False) == []
    protected = network(NetworkCreated(name="demo"), *decide(state, None, True))
    assert decide(protected, "", True) == []
    require_unprotected(state, "it")
    with pytest.raises(RigError, match="`demo` is protected, so it cannot be deleted") as refused:
        require_unprotected(protected, "it")
    assert "--no-protected" in refused.value.hint
    with pytest.raises(RigError, match="Nothing to change"):
        decide(state, None, None)


def test_a_description_is_one_line() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "demo", "description": "two\nlines"}, UpdateNetwork)
