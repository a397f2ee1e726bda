"""Members: given these roles, when one is to be given, changed or taken away, then these facts follow, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from events.account import AccountState, RoleGranted, RoleRevoked, evolve
from events.base import Happened
from rig.contract.accounts import Role
from rig.contract.members import Member
from rig.kernel.errors import RigError
from rig.node.accounts.accounts import Accounts
from rig.node.accounts.store import Store
from rig.node.handlers import create_member, delete_member, update_member
from tests.accounts_server import CHEAP, SECRET, Ledger


def member(name: str, role: Role, *, invited: bool = False) -> Member:
    return Member(name=name, network="demo", role=role, state="invited" if invited else "member")


OWNED = [member("bea", "owner"), member("cyd", "viewer"), member("dan", "owner", invited=True)]


def refused(decide: Callable[..., Any], *given: Any, **more: Any) -> str:
    with pytest.raises(RigError) as caught:
        decide(*given, **more)
    assert caught.value.hint
    return caught.value.code


def test_a_role_is_given_to_who_has_an_account_and_none_yet() -> None:
    eve = member("eve", "operator")
    assert create_member.decide(OWNED, eve, known=True) == [RoleGranted(name="eve", network="demo", role="operator")]
    assert refused(create_member.decide, OWNED, eve, known=False) == "not_found"
    with pytest.raises(RigError, match="`eve` was invited, and has not joined") as early:
        create_member.decide(OWNED, eve, known=False, invited=True)
    assert "rig node invite eve --network demo --role operator" in early.value.hint
    assert refused(create_member.decide, OWNED, member("cyd", "operator"), known=True) == "already_exists"


def test_a_role_may_be_given_to_who_was_only_invited() -> None:
    dan = member("dan", "viewer")
    assert create_member.decide(OWNED, dan, known=True) == [RoleGranted(name="dan", network="demo", role="viewer")]


def test_a_role_is_changed() -> None:
    changed = update_member.decide(OWNED, member("cyd", "deployer"), by_owner=False)
    assert changed == [RoleGranted(name="cyd", network="demo", role="deployer")]
    assert update_member.decide(OWNED, member("cyd", "viewer"), by_owner=False) == []
    assert refused(update_member.decide, OWNED, member("eve", "viewer"), by_owner=False) == "not_found"
    assert refused(update_member.decide, OWNED, member("dan", "viewer"), by_owner=False) == "conflict"


def test_the_last_owner_stays_one() -> None:
    bea = member("bea", "viewer")
    assert refused(update_member.decide, OWNED, bea, by_owner=False) == "conflict"
    assert refused(delete_member.decide, OWNED, OWNED[0], by_owner=False) == "conflict"
    with_another = [*OWNED, member("eve", "owner")]
    assert delete_member.decide(with_another, OWNED[0], by_owner=False) != []
    assert update_member.decide(with_another, bea, by_owner=False) != []


def test_the_owner_of_the_node_may_be_the_only_one_who_is_left() -> None:
    assert delete_member.decide(OWNED, OWNED[0], by_owner=True) == [
        RoleRevoked(name="bea", network="demo", role="owner")
    ]


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    store = Store(tmp_path / "credentials.sqlite")
    accounts = Accounts(store, owner="ana", secret=SECRET, url=str, record=Ledger(), cost=CHEAP)
    yield accounts
    accounts.close()


def join(accounts: Accounts, name: str, network: str, role: Role) -> None:
    link, _ = accounts.invite(name, network, role, "user:ana")
    accounts.join(link.rpartition("/")[2], "correct horse battery", "")


def test_who_has_a_role_and_who_was_invited_to_one(accounts: Accounts) -> None:
    join(accounts, "bea", "demo", "viewer")
    accounts.invite("cyd", "demo", "owner", "user:ana")
    assert accounts.members.of("demo") == [member("bea", "viewer"), member("cyd", "owner", invited=True)]
    assert accounts.members.everywhere() == [Member(name="ana", network="*", role="owner")]
    assert accounts.members.exists("bea")
    assert not accounts.members.exists("cyd")


def test_a_role_that_is_taken_away_ends_at_once_and_so_does_an_invitation(accounts: Accounts) -> None:
    join(accounts, "bea", "demo", "viewer")
    link, _ = accounts.invite("bea", "demo", "owner", "user:ana")
    accounts.members.give(member("bea", "deployer"))
    assert accounts.person("bea").roles == {"demo": "deployer"}
    accounts.members.take("bea", "demo")
    assert accounts.person("bea").roles == {}
    assert accounts.invited(link.rpartition("/")[2]) is None


def test_the_stream_of_an_account_tells_its_roles() -> None:
    state = AccountState()
    for fact in (
        RoleGranted(name="bea", network="demo", role="viewer"),
        RoleGranted(name="bea", network="shop", role="owner"),
        RoleRevoked(name="bea", network="demo", role="viewer"),
    ):
        state = evolve(state, fact, Happened())
    assert state.roles == {"shop": "owner"}
