"""`rig journal archive`, through its handler."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from events.command import CommandReceived
from events.journal import JournalArchived
from handlers import show_audit
from rig.contract.review import ShowAudit
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft, OutboxRow, Settled
from storage import verify_records, verify_work
from storage.evidence import Evidence
from storage.journal import Journal
from tests.storage import records
from tests.storage.evidencing import COUNT, archive, at, check, export, replay
from tests.storage.support import (
    completed,
    fill,
    findings,
    fingerprint,
    open_journal,
    stamp,
    tamper,
    verification,
)


def test_what_was_archived_is_whole_and_so_is_what_is_left(journal: Journal, tmp_path: Path) -> None:
    done = archive(journal, at(5))
    assert (done.first, done.records, done.left) == (0, 4, COUNT - 4 + 1)
    assert check(journal, Path(done.file)).verdict == "verified"
    assert findings(tmp_path) == ("verified", [])
    report = verification(tmp_path)
    assert (report.first, report.records, report.size) == (4, COUNT - 4 + 1, COUNT + 1)
    assert [(s.first, s.last, s.present) for s in report.segments] == [(0, 3, True)]
    assert [record.pos for record in journal.read()] == list(range(4, COUNT + 1))
    (noted,) = journal.stream("journal:archive")
    assert isinstance(noted.fact, JournalArchived)
    assert noted.fact.sha256 == done.sha256
    assert next(journal.rows("SELECT min(pos) AS first FROM audit"))["first"] == 4


def test_records_that_are_archived_during_a_check_are_no_gap(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_range = verify_records.Reader.range
    cuts = [at(5), at(3)]

    def and_archive(self: verify_records.Reader, first: int, end: int) -> verify_records.Range:
        found = check_range(self, first, end)
        if cuts:
            archive(journal, cuts.pop())
        return found

    monkeypatch.setattr(verify_work, "PART", 2)
    monkeypatch.setattr(verify_records.Reader, "range", and_archive)
    report = journal.verify()
    assert (report.verdict, report.first, len(report.segments), cuts) == ("verified", 4, 2, [])
    tamper(tmp_path, "DELETE FROM event WHERE pos < 6")
    assert findings(tmp_path)[0] == "tampered", "who takes records out without a word is found all the same"


def test_a_journal_goes_on_behind_a_cut(journal: Journal, tmp_path: Path) -> None:
    archive(journal, at(3))
    fill(tmp_path, 3)
    done = archive(journal, at(6))
    assert (done.first, findings(tmp_path)) == (2, ("verified", []))
    assert check(journal, Path(done.file)).verdict == "verified"
    assert replay(journal).first == done.first + done.records
    whole = export(journal, file=str(tmp_path / "rest.jsonl"))
    assert whole.first == done.first + done.records
    assert check(journal, tmp_path / "rest.jsonl").verdict == "verified"
    with open_journal(tmp_path) as again:
        again.append([completed("command:9")], stamp())
    assert findings(tmp_path) == ("verified", [])


def test_everything_can_be_archived(journal: Journal, tmp_path: Path) -> None:
    done = archive(journal, at(10_000))
    assert (done.records, done.left) == (COUNT, 1)
    assert findings(tmp_path) == ("verified", [])
    assert archive(journal, at(0)).file == ""


def test_a_change_on_its_way_stays(journal: Journal, tmp_path: Path) -> None:
    fact = CommandReceived(command="app.create", arguments={"app": "demo/shop"})
    body = b'{"command":"app.create","app":"demo/shop"}'
    row = OutboxRow(idem="shop", key="demo/shop", fingerprint=fingerprint(fact), body=body)
    draft = Draft(stream="command:shop", fact=fact, target="demo/shop", outcome="unknown")
    journal.append([draft], stamp(id="shop"), outbox=row)
    fill(tmp_path, 2)
    done = archive(journal, at(10_000))
    assert (done.records, "not known yet" in done.held_back) == (COUNT, True)
    assert findings(tmp_path) == ("verified", [])
    end = completed("command:shop", "app.create")
    journal.append([end], stamp(id="shop"), settle=Settled(idem="shop", state="delivered"))
    assert archive(journal, at(10_000)).held_back == ""
    assert findings(tmp_path) == ("verified", [])


def test_an_archive_is_never_written_over(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(RigError, match="is there already"):
        archive(journal, at(5), to=str(tmp_path / "mine"))
    assert (tmp_path / "mine").read_text() == "mine"
    assert findings(tmp_path) == ("verified", [])
    with pytest.raises(RigError, match="cannot be written"):
        archive(journal, at(5), to=str(tmp_path / "nowhere" / "mine"))
    assert len(journal.read()) == COUNT


def test_an_archive_that_was_changed_is_found_and_one_that_was_moved_is_not_missed(
    journal: Journal, tmp_path: Path
) -> None:
    done = archive(journal, at(5))
    path = Path(done.file)
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b"user:ana", b"user:eve"))
    assert findings(tmp_path) == ("tampered", ["ARCHIVE_MISMATCH"])
    path.unlink()
    assert findings(tmp_path) == ("verified", [])
    assert not verification(tmp_path).segments[0].present


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("INSERT INTO segment SELECT 99, 100, frontier, note, file, sha256 FROM segment", "BAD_CUT"),
        ("UPDATE segment SET frontier = zeroblob(32)", "ROOT_MISMATCH"),
        ("UPDATE segment SET sha256 = zeroblob(32)", "BAD_CUT"),
        ("DELETE FROM segment", "BAD_CUT"),
        ("UPDATE head SET min_pos = 0", "GAP"),
        ("UPDATE head SET min_pos = 5", "BAD_CUT"),
        ("UPDATE segment SET note = 'hello'", "BAD_SIGNATURE"),
        ("DELETE FROM event WHERE pos = 4", "GAP"),
        ("UPDATE event SET rec = replace(rec, 'user:ana', 'user:eve') WHERE pos = 4", "EDITED"),
    ],
)
def test_tampering_with_a_cut_is_found(journal: Journal, tmp_path: Path, damage: str, code: str) -> None:
    archive(journal, at(5))
    tamper(tmp_path, damage)
    verdict, codes = findings(tmp_path)
    assert (verdict, code in codes) == ("tampered", True), codes


def test_a_newer_rig_s_tables_are_not_left_telling_of_what_is_gone(journal: Journal, tmp_path: Path) -> None:
    tamper(tmp_path, "INSERT INTO projection VALUES ('later', 1, 9)")
    with pytest.raises(RigError, match="newer rig"):
        archive(journal, at(5))
    assert len(journal.read()) == COUNT


def test_a_record_that_was_archived_is_said_to_be_where_it_is(journal: Journal, tmp_path: Path) -> None:
    archived = archive(journal, at(4))
    asked = records.context(journal, records.Ports(tmp_path))
    with pytest.raises(RigError, match=f"to 2, to {re.escape(archived.file)}") as refused:
        show_audit.handle(ShowAudit(id="1"), asked)
    assert (refused.value.code, f"`rig journal import {archived.file}`" in refused.value.hint) == ("not_found", True)
    made = Evidence(lambda: journal).import_export(archived.file, str(tmp_path / "old.sqlite"), "", "")
    shown = show_audit.handle(ShowAudit(id="1", from_file=made.file), asked)
    assert (shown.source, shown.pos, shown.signed, shown.hashed) == ("export", 1, COUNT, True)
    assert show_audit.handle(ShowAudit(id="5"), asked).source == "local"
