"""Tokens: rotation, what counts as reuse, and what happens to honest clients in bad luck."""

from __future__ import annotations

import re
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.account import AuthFailed, AuthSucceeded, TokenRevoked
from rig.contract.accounts import TokenPair
from rig.kernel.errors import RigError
from rig.node.accounts.accounts import Accounts
from rig.node.accounts.bootstrap import bootstrap_secret
from rig.node.accounts.sessions import ACCESS_SECONDS, GRACE_SECONDS, REFRESH_SECONDS
from rig.node.accounts.store import Store
from tests.accounts_server import CHEAP, SECRET, HandClock, Ledger


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock, self.ledger = HandClock(), Ledger()
        self.accounts = Accounts(
            Store(folder / "node" / "credentials.sqlite"),
            owner="ana",
            secret=SECRET,
            url=lambda: "https://max.example.com",
            record=self.ledger,
            clock=self.clock,
            cost=CHEAP,
        )

    def login(self) -> TokenPair:
        return self.accounts.bootstrap(SECRET, "laptop", "127.0.0.1")

    def refresh(self, pair: TokenPair) -> TokenPair:
        return self.accounts.refresh(pair.refresh_token, "127.0.0.1")

    def works(self, pair: TokenPair) -> bool:
        try:
            return self.accounts.principal(pair.access_token).name == "ana"
        except RigError:
            return False


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.accounts.close()


def test_a_login_gives_tokens_that_say_who_one_is(world: World) -> None:
    pair = world.login()
    who = world.accounts.principal(pair.access_token)
    assert (who.actor, who.owner, who.permits("own", "any")) == ("user:ana", True, True)
    assert re.fullmatch(r"rig_at\.[A-Za-z0-9_-]{43}", pair.access_token)
    assert re.fullmatch(r"rig_rt\.[A-Za-z0-9_-]{43}", pair.refresh_token)
    assert world.ledger.facts == [AuthSucceeded(method="bootstrap", session=who.session, host="laptop")]


def test_an_access_token_lives_a_quarter_of_an_hour(world: World) -> None:
    pair = world.login()
    world.clock.pass_seconds(ACCESS_SECONDS - 1)
    assert world.works(pair)
    world.clock.pass_seconds(1)
    with pytest.raises(RigError, match="run out") as refused:
        world.accounts.principal(pair.access_token)
    assert refused.value.code == "login_expired"


def test_a_refresh_spends_its_token_and_keeps_the_older_access_token(world: World) -> None:
    first = world.login()
    second = world.refresh(first)
    assert second.refresh_token != first.refresh_token
    assert world.works(first)
    assert world.works(second)
    assert world.works(world.refresh(second))


def test_a_spent_token_that_comes_back_ends_the_whole_session(world: World) -> None:
    first = world.login()
    second = world.refresh(first)
    third = world.refresh(second)
    with pytest.raises(RigError, match="came back") as refused:
        world.refresh(first)
    assert refused.value.code == "login_expired"
    assert not any(world.works(pair) for pair in (first, second, third))
    with pytest.raises(RigError, match="was ended"):
        world.refresh(third)
    revoked = world.ledger.facts[-1]
    assert isinstance(revoked, TokenRevoked)
    assert revoked.reason == "reuse"


def test_a_lost_answer_locks_nobody_out_however_late_it_is_noticed(world: World) -> None:
    first = world.login()
    world.refresh(first)
    world.clock.pass_seconds(3 * 24 * 3600)
    assert world.works(world.refresh(first))


def test_an_answer_that_arrived_makes_its_token_spent_after_the_grace(world: World) -> None:
    first = world.login()
    second = world.refresh(first)
    assert world.works(second)
    world.clock.pass_seconds(GRACE_SECONDS + 1)
    with pytest.raises(RigError, match="came back"):
        world.refresh(first)


def test_two_processes_that_refresh_at_once_both_go_on(world: World) -> None:
    first = world.login()
    one, other = world.refresh(first), world.refresh(first)
    assert world.works(one)
    assert world.works(other)
    assert world.works(world.refresh(other))


def test_a_copy_that_was_used_within_the_grace_comes_to_light_with_the_next_refresh(world: World) -> None:
    first = world.login()
    mine, stolen = world.refresh(first), world.refresh(first)
    world.refresh(mine)
    with pytest.raises(RigError, match="came back"):
        world.refresh(stolen)
    assert not world.works(mine)


def test_a_session_ends_when_it_is_not_used(world: World) -> None:
    pair = world.login()
    world.clock.pass_seconds(REFRESH_SECONDS)
    with pytest.raises(RigError, match="not used for too long"):
        world.refresh(pair)


def test_logging_out_ends_all_tokens_of_this_session_and_of_no_other(world: World) -> None:
    here, there = world.login(), world.login()
    here_too = world.refresh(here)
    world.accounts.revoke(here_too.refresh_token, "")
    assert not world.works(here)
    assert not world.works(here_too)
    assert world.works(there)
    world.accounts.revoke("rig_rt.unknown", "")


def test_a_wrong_bootstrap_secret_is_refused_recorded_and_slowed_down(world: World) -> None:
    refusals = []
    for _ in range(30):
        with pytest.raises(RigError) as refused:
            world.accounts.bootstrap("x" * 43, "laptop", "10.0.0.9")
        refusals.append(refused.value.code)
    assert refusals[0] == "login_required"
    assert refusals[-1] == "rate_limited"
    failures = [fact for fact in world.ledger.facts if isinstance(fact, AuthFailed)]
    assert len(failures) == refusals.count("login_required") == 10
    assert world.works(world.accounts.bootstrap(SECRET, "laptop", "10.0.0.9")), "a right secret never waits"


def test_nothing_is_handed_out_that_is_not_on_the_record(world: World) -> None:
    world.ledger.broken = True
    with pytest.raises(RigError) as refused:
        world.login()
    assert refused.value.code == "journal_unavailable"
    with sqlite3.connect(world.folder / "node" / "credentials.sqlite") as db:
        assert db.execute("SELECT count(*) FROM session WHERE revoked_at = 0").fetchone() == (0,)
    db.close()


def test_the_file_holds_no_token_and_belongs_to_its_owner_alone(world: World) -> None:
    pair = world.login()
    path = world.folder / "node" / "credentials.sqlite"
    content = path.read_bytes()
    for secret in (pair.access_token, pair.refresh_token, SECRET):
        assert secret.encode() not in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_many_threads_at_once(world: World) -> None:
    pairs: list[TokenPair] = []

    def work() -> None:
        pair = world.login()
        for _ in range(5):
            pair = world.refresh(pair)
            assert world.works(pair)
        pairs.append(pair)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({pair.refresh_token for pair in pairs}) == 8


def test_a_file_of_a_newer_rig_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "credentials.sqlite"
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(RigError, match="newer rig"):
        Store(path)


def test_a_commit_that_fails_leaves_nothing_and_the_next_change_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path / "credentials.sqlite")
    role = "INSERT INTO role(name, network, role) VALUES ('ana', 'demo', 'owner')"

    def give_to_nobody() -> None:
        with store.transaction() as db:
            db.execute("PRAGMA defer_foreign_keys=ON")  # that there is no such person shows when it is committed
            db.execute(role)

    with pytest.raises(sqlite3.IntegrityError):
        give_to_nobody()
    with store.transaction() as db:
        db.execute("INSERT INTO person(name, created_at) VALUES ('ana', 0)")
    assert store.rows("SELECT * FROM role") == []
    with store.transaction() as outer:
        outer.execute(role)
        with store.transaction() as inner:
            inner.execute("UPDATE role SET role = 'viewer'")
    assert [row["role"] for row in store.rows("SELECT role FROM role")] == ["viewer"]
    store.close()


def test_the_bootstrap_secret_is_made_once_and_must_be_private(tmp_path: Path) -> None:
    path = tmp_path / "node" / "bootstrap.secret"
    secret = bootstrap_secret(path)
    assert len(secret) == 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert bootstrap_secret(path) == secret
    assert [child.name for child in path.parent.iterdir()] == ["bootstrap.secret"]
    path.chmod(0o644)
    with pytest.raises(RigError, match="must belong to you"):
        bootstrap_secret(path)


def test_starts_at_once_agree_on_one_bootstrap_secret(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(bootstrap_secret(tmp_path / "s"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
