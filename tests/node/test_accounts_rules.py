"""The pure parts: roles, throttling, passphrases, names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.account import AccountInvited, AccountJoined, AccountState, AuthSucceeded, RoleGranted, TokenRevoked, evolve
from events.base import Happened
from rig.contract.api import Permission
from rig.kernel.errors import RigError
from rig.node.accounts import codes, passphrases, throttle
from rig.node.accounts.people import account_name
from rig.node.accounts.principal import Principal
from rig.node.accounts.throttle import SECOND, Guesses, Policy

CHEAP = passphrases.Scrypt(n=1 << 8, r=8, p=1)


@pytest.mark.parametrize(
    ("roles", "permission", "network", "permitted"),
    [
        ({}, "anyone", "*", True),
        ({}, "read", "shop", False),
        ({"shop": "viewer"}, "read", "shop", True),
        ({"shop": "viewer"}, "read", "other", False),
        ({"shop": "viewer"}, "deploy", "shop", False),
        ({"shop": "deployer"}, "deploy", "*", False),
        ({"*": "deployer"}, "deploy", "*", True),
        ({"*": "viewer", "shop": "owner"}, "own", "shop", True),
        ({"*": "owner", "shop": "viewer"}, "own", "shop", True),
        ({"shop": "operator"}, "operate", "shop", True),
        ({"shop": "auditor"}, "audit", "shop", True),
        ({"shop": "auditor"}, "deploy", "shop", False),
    ],
)
def test_what_a_role_permits(roles: dict[str, str], permission: Permission, network: str, permitted: bool) -> None:
    who = Principal(actor="user:bea", name="bea", roles=roles)  # type: ignore[arg-type]
    assert who.permits(permission, network) is permitted


def test_the_owner_may_do_everything() -> None:
    owner = Principal(actor="user:ana", name="ana", owner=True)
    assert owner.permits("own", "any")
    assert owner.role("any") == "owner"


POLICY = Policy(free=2, base=5, cap=60, forget=100)


def test_waits_double_up_to_a_limit_and_are_forgotten() -> None:
    guesses, now, waits = Guesses(), 1000 * SECOND, []
    for _ in range(8):
        guesses = throttle.failed(guesses, POLICY, now)
        waits.append(throttle.wait(guesses, now))
    assert waits == [0, 0, 5, 10, 20, 40, 60, 60]
    later = now + 101 * SECOND
    assert throttle.wait(guesses, later) == 0
    assert throttle.failed(guesses, POLICY, later).failures == 1


@given(st.lists(st.integers(0, 200 * SECOND), max_size=50))
def test_a_wait_is_never_longer_than_its_limit(pauses: list[int]) -> None:
    guesses, now = Guesses(), 0
    for pause in pauses:
        now += pause
        guesses = throttle.failed(guesses, POLICY, now)
        assert 0 <= throttle.wait(guesses, now) <= POLICY.cap


def test_a_passphrase_is_kept_as_scrypt_with_its_cost() -> None:
    kept = passphrases.make("correct horse", CHEAP)
    assert kept.startswith("scrypt$256$8$1$")
    assert passphrases.check("correct horse", kept, passphrases.Scrypt(n=1 << 9))
    assert not passphrases.check("correct horsf", kept, CHEAP)
    assert not passphrases.check("correct horse", "", CHEAP)
    assert passphrases.make("correct horse", CHEAP) != kept


def test_the_same_letters_typed_otherwise_are_the_same_passphrase() -> None:
    assert passphrases.check("cafe\u0301 au lait", passphrases.make("caf\u00e9 au lait", CHEAP), CHEAP)


@pytest.mark.parametrize("passphrase", ["", "short", "aaaaaaaaaaaa", "abababababab", "x" * 2000, "beatrice-m"])
def test_passphrases_that_will_not_do(passphrase: str) -> None:
    with pytest.raises(RigError) as refused:
        passphrases.require_good(passphrase, "beatrice-m")
    assert refused.value.code == "invalid_data"
    assert not passphrase or passphrase not in refused.value.message


@pytest.mark.parametrize(
    ("os_user", "name"),
    [("ana", "ana"), ("Ana.B", "ana.b"), ("CORP\\ana", "ana"), ("ana b", "ana-b"), ("42", "user-42"), ("Ä", "user")],
)
def test_account_names_from_os_users(os_user: str, name: str) -> None:
    assert account_name(os_user) == name


@given(st.text(max_size=100))
def test_an_account_name_is_always_one(os_user: str) -> None:
    import re

    assert re.fullmatch(r"[a-z][a-z0-9._-]{0,62}", account_name(os_user))


def test_user_codes_are_read_as_people_type_them() -> None:
    code = codes.new_user_code()
    for typed in (code, code.lower(), code.replace("-", ""), f" {code.replace('-', ' ')} "):
        assert codes.normal_user_code(typed) == code


def test_the_stream_of_an_account_folds_to_its_state() -> None:
    facts = [
        AccountInvited(name="bea", role="viewer", expires_at="2026-11-02T12:00:00.000Z"),
        AccountJoined(name="bea", role="viewer"),
        RoleGranted(name="bea", network="shop", role="owner"),
        AuthSucceeded(method="device", session="1"),
        AuthSucceeded(method="device", session="2"),
        TokenRevoked(session="1", reason="logout"),
    ]
    state = AccountState()
    for fact in facts:
        state = evolve(state, fact, Happened())
    assert state == AccountState(roles={"*": "viewer", "shop": "owner"}, revisions={"*": 2, "shop": 1})
