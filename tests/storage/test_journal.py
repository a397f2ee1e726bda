"""What the journal promises to those who append and read."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from events.command import CommandReceived
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft, OutboxRow, Recorded, Settled
from storage import record
from storage.checkpoint import KEPT_EVERY
from storage.journal import Journal
from storage.merkle import leaf_hash
from storage.projections.audit import AuditProjection
from tests.storage.support import START, FakeClock, completed, fill, findings, open_journal, received, stamp, tamper


def test_what_is_appended_is_read_back_in_order(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        first = journal.append([received(), completed()], stamp())
        second = journal.append([received("command:2")], stamp(id="cmd-2"))
        assert journal.read() == [*first, *second]
        assert [r.pos for r in journal.read(after=0)] == [1, 2]
        assert [r.pos for r in journal.read(limit=2)] == [0, 1]
        assert journal.stream("command:1") == first
        assert journal.stream("command:1", after=1) == first[1:]
        assert [(r.stream, r.ver) for r in journal.read()] == [("command:1", 1), ("command:1", 2), ("command:2", 1)]
    with open_journal(tmp_path) as again:
        assert again.read() == [*first, *second]


def test_a_record_says_who_where_and_because_of_what(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        (made,) = journal.append([received(target="demo")], stamp(actor="token:ci", id="cmd-7"))
    assert (made.actor, made.src, made.target, made.outcome) == ("token:ci", "laptop", "demo", "unknown")
    assert (made.corr, made.caus, made.at) == ("cmd-7", "cmd-7", START + 1_000_000_000)
    assert made.fact == CommandReceived(command="network.create")


def test_each_record_is_chained_and_salted(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        rows = connection.execute("SELECT rec, leaf FROM event ORDER BY pos").fetchall()
    before = record.GENESIS
    for rec, leaf in rows:
        assert leaf == leaf_hash(rec.encode())
        assert msgspec.json.decode(rec)["prev"] == before.hex()
        assert len(msgspec.json.decode(rec)["salt"]) == 32
        before = leaf
    assert len({msgspec.json.decode(rec)["salt"] for rec, _ in rows}) == 3


def test_an_expected_version_that_is_not_there_appends_nothing(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.append([received()], stamp(), expect={"command:1": 0})
        with pytest.raises(RigError) as raised:
            journal.append([completed()], stamp(), expect={"command:1": 0})
        assert raised.value.code == "conflict"
        assert raised.value.details == {"stream": "command:1", "expected": 0, "found": 1}
        assert len(journal.read()) == 1
        journal.append([completed()], stamp(), expect={"command:1": 1, "command:other": 0})
        assert len(journal.read()) == 2


def test_an_idempotency_key_is_taken_once(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        first, _ = journal.append([received(), completed()], stamp(), idem="k-1")
        assert journal.by_idem("k-1") == first
        assert journal.by_idem("k-2") is None
        with pytest.raises(RigError) as raised:
            journal.append([received("command:2")], stamp(), idem="k-1")
        assert raised.value.code == "key_reused"
        assert len(journal.read()) == 2


@pytest.mark.parametrize("arguments", [{"size": 1.5}, {"size": 2**60}, {"name": "\ud800"}, {"text": "x" * (1 << 20)}])
def test_what_cannot_be_recorded_exactly_is_refused(tmp_path: Path, arguments: dict[str, object]) -> None:
    with open_journal(tmp_path) as journal:
        draft = Draft(stream="command:1", fact=CommandReceived(command="a", arguments=arguments))
        with pytest.raises(RigError) as raised:
            journal.append([received("command:0"), draft], stamp())
        assert raised.value.code == "invalid_data"
        assert journal.read() == []


def test_a_clock_that_was_set_back_is_flagged_and_not_repaired(tmp_path: Path) -> None:
    clock = FakeClock()
    with open_journal(tmp_path, clock=clock) as journal:
        journal.append([received()], stamp())
        clock.at -= 60_000_000_000
        (back,) = journal.append([completed()], stamp())
        (after,) = journal.append([received("command:2")], stamp())
    assert back.at == START - 58_000_000_000
    assert back.meta == {"clock_back_us": 59_000_000}
    assert after.meta == {}
    assert findings(tmp_path) == ("verified", [])


def test_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "home"
    fill(folder, 1)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "pins").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    fill(tmp_path / "real", 1)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "journal.sqlite").symlink_to(tmp_path / "real" / "journal.sqlite")
    with pytest.raises(RigError, match="symbolic link") as raised:
        open_journal(tmp_path / "link")
    assert raised.value.code == "journal_unavailable"


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        connection.execute("CREATE TABLE theirs(x)")
    (tmp_path / "journal.key").touch(0o600)
    with pytest.raises(RigError, match="another program"):
        open_journal(tmp_path)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"hello" * 1000)
    with open_journal(tmp_path) as journal:
        with pytest.raises(RigError, match="damaged") as raised:
            journal.read()
        assert raised.value.code == "journal_unavailable"
        with pytest.raises(RigError, match="damaged"):
            journal.append([received()], stamp())
        assert journal.verify().verdict == "tampered"


def test_records_cannot_be_changed_or_deleted_by_sql(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        for statement in ("UPDATE event SET actor = 'x'", "DELETE FROM event", "UPDATE checkpoint SET note = ''"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)


def test_rows_cannot_write(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal, pytest.raises(RigError, match="cannot be written"):
        journal.rows("CREATE TABLE mine(x)")


def test_the_newest_and_every_1024th_checkpoint_are_kept(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        for start in range(0, 2100, 300):
            journal.append([received(f"command:{start + n}") for n in range(300)], stamp())
        sizes = [row["size"] for row in journal.rows("SELECT size FROM checkpoint ORDER BY size")]
    assert sizes == [KEPT_EVERY, 2 * KEPT_EVERY, 2100]
    assert findings(tmp_path) == ("verified", [])


def test_an_outbox_row_comes_with_the_intent_and_ends_with_the_outcome(tmp_path: Path) -> None:
    row = OutboxRow(idem="k", key="demo", fingerprint="ab" * 32, body=b'{"command":"network.create"}')
    with open_journal(tmp_path) as journal:
        journal.append([received()], stamp(), outbox=row)
        query = "SELECT key, state, body FROM outbox"
        assert list(journal.rows(query)) == [{"key": "demo", "state": "pending", "body": row.body.decode()}]
        with pytest.raises(RigError):
            journal.append(
                [received("command:2")], stamp(), expect={"command:2": 9}, settle=Settled(idem="k", state="unknown")
            )
        assert next(journal.rows(query))["state"] == "pending"
        journal.append([completed()], stamp(), settle=Settled(idem="k", state="delivered"))
        assert next(journal.rows(query))["state"] == "delivered"


def test_secrets_are_digested_with_a_key_of_the_journal(tmp_path: Path) -> None:
    with open_journal(tmp_path / "a") as one, open_journal(tmp_path / "b") as other:
        digest = one.digest_secret("hunter2")
        assert len(digest) == 64
        assert digest == one.digest_secret("hunter2")
        assert digest != one.digest_secret("hunter3")
        assert digest != other.digest_secret("hunter2")
    with open_journal(tmp_path / "a") as again:
        assert digest == again.digest_secret("hunter2")


def test_info_tells_where_everything_is(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        assert journal.info().size == 0
        journal.append([received(), completed()], stamp())
        info = journal.info()
    assert (info.size, info.pinned, info.pin_error) == (2, 2, "")
    assert info.origin.startswith("rig/client/")
    assert info.verifier.startswith(f"{info.origin}+{info.key_id}+")
    assert info.checkpoint.startswith(f"{info.origin}\n2\n")
    assert Path(info.pin).read_text() == info.checkpoint
    assert info.journal_mode == "truncate"
    assert info.sqlite == sqlite3.sqlite_version
    assert info.bytes == os.stat(info.path).st_size


def test_a_journal_whose_key_is_gone_is_read_and_not_continued(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    (tmp_path / "journal.key").unlink()
    with open_journal(tmp_path) as journal:
        assert len(journal.read()) == 1
        with pytest.raises(RigError, match="key of the journal") as raised:
            journal.append([completed()], stamp())
    assert raised.value.code == "journal_unavailable"
    assert not (tmp_path / "journal.key").exists()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    (tmp_path / "journal.key").chmod(0o644)
    with open_journal(tmp_path) as journal, pytest.raises(RigError) as raised:
        journal.append([completed()], stamp())
    assert "chmod 600" in raised.value.hint


@pytest.mark.parametrize("content", [b"", b"{}", b'{"version":1,"origin":"x","signing":"AA==","digest":"AA=="}'])
def test_a_damaged_key_is_refused(tmp_path: Path, content: bytes) -> None:
    fill(tmp_path, 1)
    (tmp_path / "journal.key").write_bytes(content)
    with open_journal(tmp_path) as journal, pytest.raises(RigError, match="is damaged"):
        journal.append([completed()], stamp())


def test_nothing_is_appended_to_a_journal_that_was_rolled_back(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    old = (tmp_path / "journal.sqlite").read_bytes()
    with open_journal(tmp_path) as journal:
        journal.append([completed()], stamp())
    (tmp_path / "journal.sqlite").write_bytes(old)
    with open_journal(tmp_path) as journal:
        assert len(journal.read()) == 2
        with pytest.raises(RigError, match="3 records were pinned, and it holds 2") as raised:
            journal.append([completed()], stamp())
    assert raised.value.code == "journal_unavailable"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE head SET origin = 'rig/client/0'", "its key is that of"),
        ("UPDATE head SET frontier = zeroblob(32)", "not the ones that were pinned"),
        ("UPDATE head SET frontier = zeroblob(31)", "does not belong to a tree"),
    ],
)
def test_nothing_is_appended_behind_an_altered_head(tmp_path: Path, change: str, reason: str) -> None:
    fill(tmp_path, 2)
    tamper(tmp_path, change)
    with open_journal(tmp_path) as journal, pytest.raises(RigError, match=reason) as raised:
        journal.append([completed()], stamp())
    assert raised.value.code == "journal_unavailable"
    assert "rig journal verify" in raised.value.hint


def test_a_new_journal_does_not_take_over_the_pin_of_a_lost_one(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    (tmp_path / "journal.sqlite").unlink()
    (tmp_path / "journal.key").unlink()
    with open_journal(tmp_path) as journal:
        with pytest.raises(RigError, match="the pin is that of") as raised:
            journal.append([completed()], stamp())
        assert journal.verify().verdict == "tampered"
        Path(journal.pin.path).unlink()
        assert journal.pin.path in raised.value.hint
        journal.append([received()], stamp())
        assert journal.verify().verdict == "verified"


def test_an_interrupt_leaves_nothing_half_done(tmp_path: Path) -> None:
    class Interrupted(AuditProjection):
        def apply_all(self, connection: sqlite3.Connection, records: Sequence[Recorded]) -> None:
            super().apply_all(connection, records)
            if any(recorded.target == "interrupted" for recorded in records):
                raise KeyboardInterrupt

    with open_journal(tmp_path, Interrupted()) as journal:
        with pytest.raises(KeyboardInterrupt):
            journal.append([received(target="interrupted")], stamp())
        journal.append([received()], stamp())
        assert [record.target for record in journal.read()] == ["demo"]
        assert journal.verify().verdict == "verified"


def test_a_pin_that_cannot_be_written_leaves_the_record_and_is_told(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.append([received()], stamp())
        blocker = Path(f"{journal.pin.path}.new")
        blocker.mkdir()
        assert len(journal.append([completed()], stamp())) == 1
        info = journal.info()
        assert (info.size, info.pinned) == (2, 1)
        assert info.pin_error
        blocker.rmdir()
        journal.append([received("command:2")], stamp())
        assert (journal.info().pinned, journal.info().pin_error) == (3, "")


def test_an_unknown_fact_is_told_and_not_skipped(tmp_path: Path) -> None:
    class Mystery(CommandReceived, frozen=True, kw_only=True):
        type = "mystery.happened"

    with open_journal(tmp_path) as journal:
        journal.append([Draft(stream="m:1", fact=Mystery(command="x"))], stamp())
        with pytest.raises(RigError, match=r"no fact `mystery\.happened`") as raised:
            journal.read()
        assert "Upgrade rig" in raised.value.hint


def test_the_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 8:1 / / rw - ext4 /dev/sda rw\n"
        f"22 21 0:40 / {tmp_path}/with\\040space rw,relatime shared:1 master:2 - nfs4 server:/x rw\n"
    )
    from storage import files

    monkeypatch.setattr(files.file_system_type, "__defaults__", (str(mounts),))
    fill(tmp_path / "local", 1)
    with pytest.raises(RigError, match="network file system \\(nfs4\\)") as raised:
        Journal.open(tmp_path / "with space" / "journal.sqlite", origin="client")
    assert raised.value.code == "journal_unavailable"
    assert not (tmp_path / "with space").exists()
