"""Replicas of a platform's journal: what is kept, and what a platform that rewrites its past cannot get past."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from handlers import list_releases, login, observe
from handlers.observe import observed, sync
from handlers.verify_journal import with_replica
from rig.contract.releases import ListReleases
from rig.contract.replica import PAGE, RecordPage
from rig.contract.verification import Verification
from rig.kernel.errors import RigError
from rig.kernel.evidence import require_verified
from storage import replica_tables
from storage.journal import Journal
from storage.merkle import Frontier
from storage.replica import Replica, file_name
from tests.storage.records import PROJECTIONS, Platform, Ports, context, follow, open_record, page_of, replica_of
from tests.storage.support import received, stamp


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Journal]:
    with open_record(tmp_path / "node", "node") as journal:
        grow(journal, 5)
        yield journal


def grow(journal: Journal, count: int, target: str = "demo/shop") -> None:
    size = journal.info().size
    for number in range(size, size + count):
        journal.append([received(f"command:{number}", "app.create", target)], stamp(id=f"c{number}"))


def rows(replica: Replica, sql: str = "SELECT pos, rec FROM event ORDER BY pos") -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in replica.rows(sql)]


def test_a_replica_is_the_record_it_was_made_of(node: Journal, tmp_path: Path) -> None:
    replica = replica_of(tmp_path, node)
    assert rows(replica) == [tuple(row.values()) for row in node.rows("SELECT pos, rec FROM event ORDER BY pos")]
    assert rows(replica, "SELECT * FROM audit") == [tuple(row.values()) for row in node.rows("SELECT * FROM audit")]
    assert replica.stream("command:3") == node.stream("command:3")
    grow(node, 3)
    follow(replica, node)
    state = replica.state()
    assert state is not None
    assert (state.size, state.withheld, state.forked) == (8, 0, "")
    replica.close()


def test_it_grows_page_by_page_each_up_to_a_signed_checkpoint(tmp_path: Path) -> None:
    with open_record(tmp_path / "node", "node") as node:
        drafts = [received(f"command:{number}") for number in range(PAGE + 10)]
        node.append(drafts, stamp())
        replica = Replica(str(tmp_path / "replica.sqlite"), PROJECTIONS)
        assert replica.extend(page_of(node), asked=replica.size(), at=1)
        assert rows(replica, "SELECT size FROM head") == [(PAGE,)]
        assert not replica.extend(page_of(node, PAGE - 1), asked=replica.size(), at=1)
        assert rows(replica, "SELECT size FROM head") == [(PAGE + 10,)]
        replica.close()


def test_a_page_that_another_process_overtook_is_no_contradiction(node: Journal, tmp_path: Path) -> None:
    """Two processes ask for the same records; one is back first, and the platform has grown in between."""
    slow, fast = (Replica(str(tmp_path / "replica.sqlite"), PROJECTIONS) for _ in range(2))
    behind = page_of(node)
    grow(node, 2)
    follow(fast, node)
    assert slow.extend(behind, asked=0, at=1)
    state = slow.state()
    assert state is not None
    assert (state.size, state.forked) == (7, "")
    grow(node, 1)
    assert not slow.extend(page_of(node, slow.size() - 1), asked=slow.size(), at=1)
    assert (slow.size(), slow.verify()) == (8, [])
    slow.close()
    fast.close()


def test_what_may_not_be_seen_is_its_hash_in_its_place(node: Journal, tmp_path: Path) -> None:
    replica = replica_of(tmp_path, node, shown=lambda rec: json.loads(rec)["pos"] != 2)
    state = replica.state()
    assert state is not None
    assert (state.size, state.withheld) == (5, 1)
    assert [rec is None for _, rec in rows(replica)] == [False, False, True, False, False]
    assert rows(replica, "SELECT pos FROM audit") == [(0,), (1,), (3,), (4,)]
    # The tree over all five is the platform's, so what is hidden cannot be exchanged later.
    grow(node, 1)
    follow(replica, node)
    replica.close()


def test_what_a_newer_platform_wrote_is_kept_and_counted(
    node: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replica_tables.readable
    with monkeypatch.context() as older:
        older.setattr(replica_tables, "readable", lambda rec: None if '"pos":1,' in rec else whole(rec))
        replica = replica_of(tmp_path, node)
        state = replica.state()
        assert state is not None
        assert (state.size, state.unreadable) == (5, 1)
        assert rows(replica, "SELECT pos FROM audit") == [(0,), (2,), (3,), (4,)]
        assert replica.verify() == []
        replica.close()
    # This version of rig can read it.
    assert rows(replica, "SELECT pos FROM audit") == [(0,), (1,), (2,), (3,), (4,)]
    assert rows(replica, "SELECT * FROM unreadable") == []
    assert replica.verify() == []
    replica.close()


def test_tables_of_an_older_version_are_made_anew(node: Journal, tmp_path: Path) -> None:
    replica = replica_of(tmp_path, node)
    replica.close()
    with closing(sqlite3.connect(replica.path)) as connection:
        connection.execute("UPDATE projection SET code_version = 0")
        connection.execute("DELETE FROM audit")
        connection.commit()
    assert rows(replica, "SELECT count(*) FROM audit") == [(5,)]
    replica.close()


def test_nothing_is_there_before_the_first_page(tmp_path: Path) -> None:
    replica = Replica(str(tmp_path / "none" / "replica.sqlite"), PROJECTIONS)
    assert (replica.state(), rows(replica), replica.stream("app:x")) == (None, [], [])
    assert not (tmp_path / "none").exists()


def test_an_empty_journal_gives_an_empty_replica(tmp_path: Path) -> None:
    with open_record(tmp_path / "node", "node") as node:
        replica = Replica(str(tmp_path / "replica.sqlite"), PROJECTIONS)
        assert not replica.extend(page_of(node), asked=replica.size(), at=1)
        assert replica.state() is None


def test_the_file_is_named_after_the_address() -> None:
    assert file_name("https://max.example.com") != file_name("http://max.example.com")
    assert file_name("http://[::1]:7470/..").startswith("___1__7470_..-")
    assert "/" not in file_name("https://a/b/../c")


# -- a platform that contradicts itself -----------------------------------------------------------------------------


def older_copy(node: Journal, tmp_path: Path) -> Journal:
    """The platform's journal as it was, put back; its pin is gone, so that it goes on."""
    copy = tmp_path / "old"
    shutil.copytree(Path(node.path).parent, copy)
    shutil.rmtree(copy / "pins")
    return open_record(copy, "node")


def test_a_platform_that_went_back_is_caught(node: Journal, tmp_path: Path) -> None:
    with older_copy(node, tmp_path) as old:
        grow(node, 2)
        replica = replica_of(tmp_path, node)
        with pytest.raises(RigError, match="it signed 5 records, and 7 of it are known here") as caught:
            replica.extend(page_of(old, 6), asked=replica.size(), at=2)
        assert (caught.value.code, caught.value.exit) == ("journal_forked", 1)
        # And also when it has grown beyond what was seen, with another past.
        grow(old, 4, "demo/other")
        with pytest.raises(RigError, match=r"not the ones that it showed before|does not follow") as caught:
            replica.extend(page_of(old, 6), asked=replica.size(), at=3)
        assert caught.value.code == "journal_forked"
        state = replica.state()
        assert state is not None
        assert state.size == 7
        assert state.forked
        # It is not forgiven for showing the first past again.
        follow(replica, node)
        state = replica.state()
        assert state is not None
        assert state.forked
        replica.close()


def test_another_journal_at_the_same_address_is_caught(node: Journal, tmp_path: Path) -> None:
    replica = replica_of(tmp_path, node)
    with open_record(tmp_path / "new", "node") as new:
        grow(new, 9)
        with pytest.raises(RigError, match="another journal"):
            replica.extend(page_of(new, 4), asked=replica.size(), at=2)
    replica.close()


def hidden_hash(page: Any) -> Any:
    """One record is exchanged, and its hash with it."""
    record = page.records[1]
    rec = record.rec.replace("demo/shop", "demo/sham")
    leaf = sha256(b"\0" + rec.encode()).hexdigest()
    return msgspec.structs.replace(
        page, records=[page.records[0], msgspec.structs.replace(record, rec=rec, leaf=leaf), *page.records[2:]]
    )


def edited(page: Any) -> Any:
    record = page.records[1]
    changed = msgspec.structs.replace(record, rec=record.rec.replace("demo/shop", "demo/sham"))
    return msgspec.structs.replace(page, records=[page.records[0], changed, *page.records[2:]])


FORGERIES = {
    "a record that is not the one hashed": edited,
    "a record and its hash": hidden_hash,
    "one left out": lambda page: msgspec.structs.replace(page, records=page.records[:-1]),
    "two exchanged": lambda page: msgspec.structs.replace(page, records=[page.records[1], page.records[0]]),
    "a bad signature": lambda page: msgspec.structs.replace(
        page, checkpoint=page.checkpoint.replace("\n5\n", "\n6\n", 1), size=6
    ),
    "no checkpoint": lambda page: msgspec.structs.replace(page, checkpoint=""),
    "another name": lambda page: msgspec.structs.replace(page, origin="rig/node/0000000000000000"),
    "no record at all": lambda page: msgspec.structs.replace(
        page, records=[msgspec.structs.replace(page.records[0], rec="{}", leaf=sha256(b"\0{}").hexdigest())]
    ),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_page_that_is_not_what_was_signed_is_refused_whole(node: Journal, tmp_path: Path, forge: Any) -> None:
    replica = Replica(str(tmp_path / "replica.sqlite"), PROJECTIONS)
    with pytest.raises(RigError) as refused:
        replica.extend(forge(page_of(node)), asked=replica.size(), at=1)
    assert refused.value.code == "journal_forked"
    assert rows(replica) == []


def test_records_that_were_archived_unseen_cannot_be_told(node: Journal, tmp_path: Path) -> None:
    replica = replica_of(tmp_path, node)
    grow(node, 5)
    with pytest.raises(RigError) as refused:
        replica.extend(page_of(node, 7), asked=replica.size(), at=2)
    assert refused.value.code == "unverifiable"
    replica.close()


# -- what is found of it --------------------------------------------------------------------------------------------


def test_what_is_wrong_with_the_replica_is_a_finding_of_verify(node: Journal, tmp_path: Path) -> None:
    replica = replica_of(tmp_path, node)
    report = Verification(verdict="verified", path="x")
    alone = with_replica(report, replica, context(node, Ports(tmp_path, replica)))
    assert (alone.verdict, alone.replicated, alone.compared, alone.findings) == ("verified", 5, False, [])
    node.append([received("command:9")], stamp())
    good = with_replica(report, replica, context(node, Ports(tmp_path, replica, Platform(node))))
    assert (good.verdict, good.replicated, good.compared, good.findings) == ("verified", 6, True, [])
    with open_record(tmp_path / "forged", "node") as forged:
        forged.append([received("command:9")], stamp())
        bad = with_replica(report, replica, context(node, Ports(tmp_path, replica, Platform(forged))))
    assert (bad.verdict, bad.compared, [finding.code for finding in bad.findings]) == ("tampered", False, ["FORKED"])
    replica.close()


def test_a_replica_that_was_left_behind_by_an_archive_cannot_be_told(node: Journal, tmp_path: Path) -> None:
    class Archived(Platform):
        def call(self, *arguments: Any, **options: Any) -> RecordPage:
            return msgspec.structs.replace(page_of(node), first=99)

    replica = replica_of(tmp_path, node)
    report = Verification(verdict="verified", path="x")
    unclear = with_replica(report, replica, context(node, Ports(tmp_path, replica, Archived(node))))
    assert (unclear.verdict, [finding.code for finding in unclear.findings]) == ("unverifiable", ["REPLICA_BEHIND"])
    with pytest.raises(RigError) as told:
        require_verified(unclear)
    assert (told.value.exit, "begins a new one" in told.value.hint) == (65, True)
    replica.close()


def test_a_replica_may_begin_behind_an_archive(node: Journal, tmp_path: Path) -> None:
    leaves = [row["leaf"] for row in node.rows("SELECT leaf FROM event ORDER BY pos")]
    before = Frontier()
    for leaf in leaves[:3]:
        before.append(leaf)
    page = msgspec.structs.replace(page_of(node, 2), frontier=before.pack().hex())
    replica = Replica(str(tmp_path / "replica.sqlite"), PROJECTIONS)
    assert not replica.extend(page, asked=replica.size(), at=1)
    assert replica.verify() == []
    grow(node, 2)
    follow(replica, node)
    assert replica.verify() == []
    assert rows(replica, "SELECT min(pos), max(pos) FROM event") == [(3, 6)]
    replica.close()


# -- commands that keep it ------------------------------------------------------------------------------------------


class Contradicting:
    """A platform that shows another past."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def call(self, command: Any, reply: type[Any], *, key: str = "", corr: str = "") -> Any:
        return page_of(self.journal, command.after)


def test_every_command_that_sees_a_fork_tells_of_it(node: Journal, tmp_path: Path) -> None:
    with older_copy(node, tmp_path) as old, open_record(tmp_path / "own") as own:
        grow(node, 2)
        replica = replica_of(tmp_path, node)
        grow(old, 4, "demo/other")
        seen = context(own, Ports(tmp_path, replica, Contradicting(old)))
        assert observed(seen) is replica
        assert "not the one that it was" in seen.warnings[0]
        later = context(own, Ports(tmp_path, replica))
        assert observed(later, fetch=False) is replica
        assert "not the one that it was" in later.warnings[0]
        with pytest.raises(RigError, match="not the one that it was"):
            sync(context(own, Ports(tmp_path, replica, Contradicting(old))), replica)
        replica.close()


def test_a_new_login_puts_the_contradicted_replica_aside(node: Journal, tmp_path: Path) -> None:
    with open_record(tmp_path / "new", "node") as new, open_record(tmp_path / "own") as own:
        replica = replica_of(tmp_path, node)
        grow(new, 2)
        ctx = context(own, Ports(tmp_path, replica, Platform(new)))
        login._observe(ctx)
        (warning,) = ctx.warnings
        (kept,) = tmp_path.glob("replica.until-*.sqlite")
        assert str(kept) in warning
        state = replica.state()
        assert state is not None
        assert (state.origin, state.size, state.forked) == (new.info().origin, 2, "")
        replica.close()


def test_what_is_new_is_fetched_on_the_way_or_is_said_to_be_missing(node: Journal, tmp_path: Path) -> None:
    with open_record(tmp_path / "own") as own:
        replica = Replica(str(tmp_path / "replica.sqlite"), PROJECTIONS)
        assert observed(context(own, Ports(tmp_path, replica))) is None
        assert observed(context(own, Ports(tmp_path, replica, Platform(node)))) is replica
        away = context(own, Ports(tmp_path, replica))
        assert observed(away) is replica
        assert "what is newer there is missing" in away.warnings[0]
        replica.close()


def test_that_more_is_new_than_is_fetched_on_the_way_is_said(
    node: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Longer(Platform):
        def call(self, *arguments: Any, **options: Any) -> RecordPage:
            return msgspec.structs.replace(page_of(node), size=99)

    monkeypatch.setattr(observe, "ON_THE_WAY", 1)
    with open_record(tmp_path / "own") as own:
        replica = Replica(str(tmp_path / "replica.sqlite"), PROJECTIONS)
        behind = context(own, Ports(tmp_path, replica, Longer(node)))
        assert observed(behind) is replica
        assert ["`rig audit --sync`" in warning for warning in behind.warnings] == [True]
        replica.close()


def test_history_without_a_replica_fails_as_the_platform_did(tmp_path: Path) -> None:
    with open_record(tmp_path / "own") as own, pytest.raises(RigError) as raised:
        list_releases.handle(ListReleases(app="demo/shop"), context(own, Ports(tmp_path)))
    assert raised.value.code == "unreachable"
