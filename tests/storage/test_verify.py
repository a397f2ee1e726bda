"""What tampering looks like to `rig journal verify`."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded
from storage import journal, verify, verify_records, verify_tables, verify_work
from storage.evidence import Evidence
from storage.merkle import leaf_hash
from storage.projections.audit import AuditProjection
from storage.projections.base import Projection
from tests.storage import tampering
from tests.storage.support import fill, findings, open_journal, received, stamp, tamper, verification
from tests.storage.tampering import COUNT, MATRIX, Row, edited, records, rewrite


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    tampering.make(folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "journal")


def test_what_was_left_alone_is_verified(folder: Path) -> None:
    assert findings(folder) == ("verified", [])
    with open_journal(folder) as opened:
        report = opened.verify()
        assert report.root == opened.info().root
    assert (report.size, report.records, report.anchored, report.checkpoints) == (COUNT, COUNT, COUNT, 1)
    assert [(anchor.size, anchor.agrees) for anchor in report.anchors] == [(COUNT, True)]


def test_an_empty_journal_is_verified(tmp_path: Path) -> None:
    fill(tmp_path, 0)
    assert findings(tmp_path) == ("verified", [])


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: row.what)
def test_tampering_is_found_and_its_place_is_named(folder: Path, row: Row) -> None:
    row.do(folder)
    report = verification(folder)
    assert tuple(sorted({finding.code for finding in report.findings})) == row.found
    assert report.verdict == "tampered"
    places = [finding.first for finding in report.findings if finding.first >= 0]
    assert min(places, default=-1) == row.first
    # The same without what is kept outside the database.
    shutil.rmtree(folder / "pins")
    report = verification(folder)
    codes = {finding.code for finding in report.findings} - {"NO_PIN"}
    assert tuple(sorted(codes)) == (row.found if row.without_pin is None else row.without_pin)
    assert report.verdict == ("tampered" if codes - {"UNREADABLE"} else "unverifiable")


@pytest.mark.parametrize("half", [(0, 2048), (2048, 4096), (100, 4096)], ids=str)
def test_half_a_page_that_is_empty_is_told_in_plain_words(folder: Path, half: tuple[int, int]) -> None:
    path = folder / "journal.sqlite"
    whole = path.read_bytes()
    first, end = half
    for page in range(0, len(whole), 4096):
        path.write_bytes(whole[: page + first] + bytes(end - first) + whole[page + end :])
        report = verification(folder)
        same = path.read_bytes() == whole or all(not whole[page + at] for at in range(first, end))
        assert same or page == 0 or report.verdict != "verified", page
        assert not [finding for finding in report.findings if re.search("broke the check|NoneType", finding.message)]


def test_what_no_part_of_a_check_reckons_with_is_a_finding(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_tables, "check_application", lambda: None)
    message = "it holds what no rig writes, and that broke the check (TypeError)"
    assert [(each.code, each.message) for each in verification(folder).findings] == [("DAMAGED", message)]


@pytest.mark.parametrize("kind", ["a database", "a folder", "a link", "a pipe"])
def test_what_is_no_journal_is_not_opened_and_a_finding(folder: Path, kind: str) -> None:
    path = folder / "journal.sqlite"
    path.rename(folder / "elsewhere.sqlite")
    match kind:
        case "a database":
            with closing(sqlite3.connect(path)) as other:
                other.execute("CREATE TABLE mine(x)")
        case "a folder":
            path.mkdir()
        case "a link":
            path.symlink_to(folder / "elsewhere.sqlite")
        case _:
            os.mkfifo(path)
    report = Evidence(lambda: open_journal(folder)).verify("")
    code, verdict, said = ("UNREADABLE", "unverifiable", "plain files only")
    if kind == "a database":
        code, verdict, said = ("SCHEMA_MISMATCH", "tampered", "is a database of another program")
    assert (report.verdict, report.path, [each.code for each in report.findings]) == (verdict, str(path), [code])
    assert said in report.findings[0].message
    assert code in findings(folder)[1]


class Unreadable:
    """A projection that cannot fold what is there."""

    name = "unreadable"
    version = 1
    tables = ()
    ddl = ""

    def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
        raise RigError("invalid_data", f"Record {recorded.pos} is beyond me.")


def test_a_projection_that_cannot_be_folded_says_nothing_about_the_others(folder: Path) -> None:
    path = str(folder / "journal.sqlite")
    projections: list[Projection] = [AuditProjection(), Unreadable()]
    tamper(folder, "INSERT INTO projection SELECT 'unreadable', 1, size FROM head")
    codes = [code for code, *_ in verify_tables.check_projections(path, projections, 10.0)]
    assert codes == ["PROJECTION_UNKNOWN"]
    tamper(folder, "UPDATE audit SET actor = 'user:eve' WHERE pos = 3")
    codes = [code for code, *_ in verify_tables.check_projections(path, projections, 10.0)]
    assert codes == ["PROJECTION_MISMATCH", "PROJECTION_UNKNOWN"]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda folder: (folder / "journal.key").unlink(), ("unverifiable", ["NO_KEY"])),
        (lambda folder: (folder / "journal.key").chmod(0o644), ("unverifiable", ["NO_KEY"])),
        (lambda folder: shutil.rmtree(folder / "pins"), ("unverifiable", ["NO_PIN"])),
        (
            lambda folder: (folder / "pins" / "client.checkpoint").write_text("hello"),
            ("unverifiable", ["BAD_PIN"]),
        ),
        (
            lambda folder: tamper(folder, "UPDATE projection SET code_version = code_version + 1"),
            ("unverifiable", ["PROJECTION_UNKNOWN"]),
        ),
    ],
)
def test_what_is_missing_is_no_proof_of_tampering(
    folder: Path, damage: Callable[[Path], None], expected: tuple[str, list[str]]
) -> None:
    damage(folder)
    assert findings(folder) == expected


def test_a_kept_checkpoint_stands_in_for_a_pin(folder: Path) -> None:
    kept = folder / "kept.checkpoint"
    shutil.move(folder / "pins" / "client.checkpoint", kept)
    fill(folder, 3)
    (folder / "pins" / "client.checkpoint").unlink()
    report = verification(folder, kept)
    assert (report.verdict, report.anchored, report.size) == ("verified", COUNT, COUNT + 3)
    assert [anchor.name for anchor in report.anchors] == [str(kept)]


def test_a_kept_checkpoint_sees_what_the_pin_would_have_seen(folder: Path) -> None:
    kept = shutil.copy(folder / "pins" / "client.checkpoint", folder / "kept.checkpoint")
    rewrite(folder, records(folder)[:5], sign_again=True)
    shutil.rmtree(folder / "pins")
    assert findings(folder, Path(kept)) == ("tampered", ["ROLLED_BACK"])


@pytest.mark.parametrize("content", ["", "hello"])
def test_a_kept_checkpoint_that_is_none(folder: Path, content: str) -> None:
    kept = folder / "kept.checkpoint"
    kept.write_text(content)
    assert findings(folder, kept) == ("unverifiable", ["BAD_PIN"])


def test_a_checkpoint_on_the_way_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (journal, verify):
        monkeypatch.setattr(module, "KEPT_EVERY", 4)
    fill(tmp_path, 10)
    assert findings(tmp_path) == ("verified", [])
    assert verification(tmp_path).checkpoints == 3
    tamper(tmp_path, "DELETE FROM checkpoint WHERE size = 4")
    assert findings(tmp_path) == ("tampered", ["UNSIGNED"])


def test_a_root_mismatch_names_the_records_between_two_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (journal, verify):
        monkeypatch.setattr(module, "KEPT_EVERY", 4)
    fill(tmp_path, 10)
    rewrite(tmp_path, edited(records(tmp_path), 6))
    finding = verification(tmp_path).findings[0]
    assert (finding.code, finding.first, finding.last) == ("ROOT_MISMATCH", 4, 7)


def test_any_flipped_byte_of_a_record_is_found(folder: Path) -> None:
    """Bytes of the file that belong to a record: either SQLite or the record's hash notices each."""
    path = folder / "journal.sqlite"
    whole = path.read_bytes()
    rec = records(folder)[4].encode()
    start = whole.index(rec)
    for offset in range(start, start + len(rec), 37):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x81]) + whole[offset + 1 :])
        assert findings(folder)[0] == "tampered", f"byte {offset - start} of the record"


def test_others_append_while_it_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two pages of a check the lock is free; what comes in meanwhile is left for the next check."""
    check_range = verify_records.Reader.range
    with open_journal(folder) as writer:

        def and_append(self: verify_records.Reader, first: int, end: int) -> verify_records.Range:
            found = check_range(self, first, end)
            writer.append([received(f"command:during-{first}")], stamp())
            return found

        monkeypatch.setattr(verify_work, "PART", 2)
        monkeypatch.setattr(verify_records.Reader, "range", and_append)
        report = writer.verify()
        assert (report.verdict, report.size) == ("verified", COUNT)
        assert len(writer.read()) == COUNT + COUNT // 2


@pytest.mark.parametrize("row", [None, *MATRIX[:8]], ids=lambda row: row.what if row else "left alone")
@pytest.mark.parametrize(("part", "page"), [(2, 128), (4096, 3)], ids=["small parts", "small pages"])
def test_parts_and_pages_of_any_size_find_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, row: Row | None, part: int, page: int
) -> None:
    if row is not None:
        row.do(folder)
    expected = verification(folder)
    monkeypatch.setattr(verify_work, "PART", part)
    monkeypatch.setattr(verify_records, "PAGE", page)
    found = verification(folder)
    codes = [{finding.code for finding in report.findings} for report in (expected, found)]
    assert codes[0] == codes[1]
    assert (found.size, found.root, found.anchored) == (expected.size, expected.root, expected.anchored)


@pytest.mark.parametrize("moved", [2, 3], ids=["to the one before", "to the one behind"])
def test_a_record_moved_into_its_neighbour(folder: Path, moved: int) -> None:
    """The lines of a page are the same as before; leaf and columns of either are those of one record in them."""
    both = "\n".join(records(folder)[2:4])
    emptied = 5 - moved
    tamper(
        folder,
        ("UPDATE event SET rec = ?, leaf = ? WHERE pos = ?", (both, leaf_hash(both.encode()), moved)),
        ("UPDATE event SET rec = '', leaf = ? WHERE pos = ?", (leaf_hash(b""), emptied)),
    )
    found = [(finding.code, finding.first) for finding in verification(folder).findings]
    assert ("EDITED", 2) in found
    assert ("EDITED", 3) in found


@pytest.mark.parametrize("row", [None, *MATRIX[:8]], ids=lambda row: row.what if row else "left alone")
@pytest.mark.parametrize("kept", [2, 4, 1024])
def test_blocks_of_leaves_come_to_the_same_tree(
    folder: Path, monkeypatch: pytest.MonkeyPatch, row: Row | None, kept: int
) -> None:
    """Checkpoints lie between the blocks, and in their midst."""
    monkeypatch.setattr(journal, "KEPT_EVERY", kept)
    fill(folder, 5)
    if row is not None:
        row.do(folder)
    expected = verification(folder)
    for module in (verify, verify_records):
        monkeypatch.setattr(module, "BLOCK", 4)
    monkeypatch.setattr(verify_work, "PART", 8)
    found = verification(folder)
    assert found.root == expected.root
    assert found.anchored == expected.anchored
    assert {finding.code for finding in found.findings} == {finding.code for finding in expected.findings}


@pytest.mark.parametrize("row", [None, MATRIX[0], MATRIX[1]], ids=lambda row: row.what if row else "left alone")
def test_several_processes_find_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch, row: Row | None) -> None:
    if row is not None:
        row.do(folder)
    expected = verification(folder)
    monkeypatch.setattr(verify_work, "PART", 3)
    monkeypatch.setattr(verify_work, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    found = verification(folder)
    assert [finding.code for finding in found.findings] == [finding.code for finding in expected.findings]
    assert found == msgspec.structs.replace(expected, findings=found.findings)


@pytest.mark.parametrize(("name", "verdict"), [("SQLITE_BUSY", "unverifiable"), ("SQLITE_CORRUPT", "tampered")])
@pytest.mark.parametrize("job", ["records", "projections"])
def test_a_process_that_finds_the_file_locked_does_not_call_it_damaged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, job: str, name: str, verdict: str
) -> None:
    """An error of SQLite has its name in the process alone in which it was raised."""

    class Away:
        def range(self, first: int, end: int) -> verify_records.Range:
            raise self.error()

        def error(self) -> sqlite3.Error:
            error = sqlite3.OperationalError("so it is")
            error.sqlite_errorname = name
            return error

    def fails() -> list[verify_records.Found]:
        raise Away().error()

    monkeypatch.setattr(verify_work, "_reader", Away())
    if job == "records":
        monkeypatch.setattr(verify_work.Work, "ranges", lambda self: iter([verify_work._check_range(0, 2)]))
    else:
        monkeypatch.setattr(verify_work.Work, "rest", lambda self: iter(verify_work._found(fails)))
    assert findings(folder)[0] == verdict


def test_processes_that_cannot_be_started_say_nothing_about_the_journal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_work, "PART", 3)
    monkeypatch.setattr(verify_work, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(verify_work, "_open_reader", os.abort)
    assert findings(folder) == ("verified", [])
    MATRIX[0].do(folder)
    assert findings(folder)[0] == "tampered"
