"""Service tokens: who they speak for, when they end, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from events.account import TokenCreated, TokenDeleted
from rig.kernel.errors import RigError
from rig.node.accounts.principal import Principal, require_person
from rig.node.accounts.store import Store
from rig.node.accounts.tokens import HOUR, ServiceToken, ServiceTokens
from rig.node.handlers import create_token, delete_token
from tests.support import files_with

DAY = 24 * HOUR
CI = ServiceToken(
    name="ci", network="demo", role="deployer", created_by="user:ana", created_at=DAY, expires_at=91 * DAY
)
OWNER = Principal(actor="user:bea", name="bea", roles={"demo": "owner"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "credentials.sqlite")
    yield store
    store.close()


@pytest.fixture
def tokens(store: Store) -> ServiceTokens:
    return ServiceTokens(store)


def refused(text: str, tokens: ServiceTokens, now: int) -> str:
    with pytest.raises(RigError) as caught:
        tokens.principal(text, now)
    return caught.value.code


def test_a_token_speaks_for_itself_in_its_network_alone(tokens: ServiceTokens) -> None:
    who = tokens.principal(tokens.make(CI), 2 * DAY)
    assert (who.actor, who.name, who.expires_at, who.person) == ("token:ci", "ci", 91 * DAY, False)
    assert who.permits("deploy", "demo")
    assert not who.permits("own", "demo")
    assert not who.permits("read", "other")


def test_it_ends_at_its_end(tokens: ServiceTokens) -> None:
    text = tokens.make(CI)
    assert tokens.principal(text, CI.expires_at - 1).name == "ci"
    assert refused(text, tokens, CI.expires_at) == "login_expired"


def test_it_ends_at_once_when_it_is_deleted(tokens: ServiceTokens) -> None:
    text, other = tokens.make(CI), tokens.make(msgspec.structs.replace(CI, name="nightly"))
    tokens.delete("ci")
    assert refused(text, tokens, 2 * DAY) == "login_required"
    assert tokens.principal(other, 2 * DAY).name == "nightly"
    assert [token.name for token in tokens.all()] == ["nightly"]


def test_a_name_is_taken_for_the_whole_platform(tokens: ServiceTokens) -> None:
    text = tokens.make(CI)
    with pytest.raises(RigError) as caught:
        tokens.make(msgspec.structs.replace(CI, network="other"))
    assert caught.value.code == "already_exists"
    assert tokens.principal(text, 2 * DAY).roles == {"demo": "deployer"}, "the first one stands"


def test_its_text_is_kept_nowhere(tokens: ServiceTokens, tmp_path: Path) -> None:
    text = tokens.make(CI)
    assert text.startswith("rig_st.")
    assert files_with(tmp_path, text.removeprefix("rig_st.")) == []


def test_its_last_use_is_known_to_the_hour(tokens: ServiceTokens) -> None:
    text = tokens.make(CI)
    seen = []
    for now in (2 * DAY, 2 * DAY + HOUR - 1, 2 * DAY + HOUR):
        tokens.principal(text, now)
        seen.append(tokens.all()[0].used_at)
    assert seen == [2 * DAY, 2 * DAY, 2 * DAY + HOUR]


def test_making_one_is_a_fact_without_its_text() -> None:
    expected = TokenCreated(name="ci", network="demo", role="deployer", expires_at="1970-04-02T00:00:00.000Z")
    assert create_token.decide(CI) == [expected]


def test_none_is_good_for_more_than_a_year() -> None:
    with pytest.raises(RigError) as caught:
        create_token.decide(msgspec.structs.replace(CI, expires_at=CI.created_at + 400 * DAY))
    assert caught.value.code == "invalid_data"


def test_it_is_deleted_by_who_owns_its_network() -> None:
    assert delete_token.decide("ci", CI, OWNER) == [TokenDeleted(name="ci", network="demo", role="deployer")]


@pytest.mark.parametrize(
    "token", [None, msgspec.structs.replace(CI, network="other"), msgspec.structs.replace(CI, network="*")]
)
def test_one_that_is_not_yours_is_as_one_that_is_not_there(token: ServiceToken | None) -> None:
    with pytest.raises(RigError) as caught:
        delete_token.decide("ci", token, OWNER)
    assert (caught.value.code, caught.value.message) == ("not_found", "There is no token `ci`.")


def test_a_token_cannot_make_itself_another_way_in() -> None:
    require_person(OWNER, "make tokens")
    with pytest.raises(RigError) as caught:
        require_person(Principal(actor="token:ci", name="ci", roles={"*": "owner"}), "make tokens")
    assert caught.value.code == "forbidden"
