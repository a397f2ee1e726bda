"""What tampering looks like to `rig journal verify`."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from storage import keys
from storage.checkpoint import sign
from storage.merkle import Frontier, leaf_hash
from tests.storage.support import completed, fill, findings, open_journal, received, stamp, tamper

COUNT = 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path, COUNT)
    return tmp_path


def records(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        return [rec for (rec,) in connection.execute("SELECT rec FROM event ORDER BY pos")]


def rewrite(folder: Path, recs: list[str], *, sign_again: bool = False) -> None:
    """Replace all records, with leaves, chain, columns and head recomputed: all that can be done without the key."""
    frontier, previous = Frontier(), b"\x00" * 32
    statements: list[str | tuple[str, tuple[object, ...]]] = ["DELETE FROM event"]
    for pos, rec in enumerate(recs):
        fields = json.loads(rec) | {"prev": previous.hex(), "pos": pos}
        text = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        previous = leaf_hash(text.encode())
        frontier.append(previous)
        row = (
            pos, text, previous, fields["id"], fields["stream"], fields["ver"], fields["type"], int(fields["at"]),
            fields["actor"], fields["outcome"], fields["target"], fields["session"] or None, fields["corr"],
            fields["src"], fields["idem"] or None,
        )  # fmt: skip
        statements.append((f"INSERT INTO event VALUES ({','.join('?' * 15)})", row))
    head = (frontier.size, previous, frontier.pack())
    statements.append(("UPDATE head SET size = ?, tip = ?, frontier = ?", head))
    if sign_again:
        signer = keys.load(str(folder / "journal.key"))
        assert signer is not None
        note = sign(signer.private, signer.public, signer.origin, frontier.size, frontier.root()).note
        statements += ["DELETE FROM checkpoint", ("INSERT INTO checkpoint VALUES (?, ?)", (frontier.size, note))]
    tamper(folder, *statements)


def edited(recs: list[str], pos: int) -> list[str]:
    return [rec.replace("user:ana", "user:eve") if n == pos else rec for n, rec in enumerate(recs)]


def test_what_was_left_alone_is_verified(folder: Path) -> None:
    assert findings(folder) == ("verified", [])
    with open_journal(folder) as journal:
        report = journal.verify()
    assert (report.size, report.anchored, report.checkpoints) == (COUNT, COUNT, 1)
    assert report.root == journal.info().root


def test_an_empty_journal_is_verified(tmp_path: Path) -> None:
    fill(tmp_path, 0)
    assert findings(tmp_path) == ("verified", [])


def test_an_edited_record(folder: Path) -> None:
    tamper(folder, "UPDATE event SET rec = replace(rec, 'user:ana', 'user:eve'), actor = 'user:eve' WHERE pos = 3")
    assert findings(folder) == ("tampered", ["EDITED"])
    with open_journal(folder) as journal:
        (finding,) = journal.verify().findings
    assert (finding.first, finding.last) == (3, 3)


def test_an_edited_record_with_its_own_leaf_made_new(folder: Path) -> None:
    rec = records(folder)[3].replace("user:ana", "user:eve")
    change = "UPDATE event SET rec = ?, leaf = ?, actor = 'user:eve' WHERE pos = 3"
    tamper(folder, (change, (rec, leaf_hash(rec.encode()))))
    verdict, codes = findings(folder)
    assert verdict == "tampered"
    assert codes[0] == "CHAIN_BREAK"
    assert "ROOT_MISMATCH" in codes


def test_an_edited_record_with_all_that_follows_rehashed(folder: Path) -> None:
    rewrite(folder, edited(records(folder), 3))
    assert findings(folder) == ("tampered", ["ROOT_MISMATCH", "ROOT_MISMATCH"])


def test_rewritten_and_signed_with_the_stolen_key(folder: Path) -> None:
    rewrite(folder, edited(records(folder), 3), sign_again=True)
    assert findings(folder) == ("tampered", ["ROOT_MISMATCH"])
    with open_journal(folder) as journal:
        assert "the pin" in journal.verify().findings[0].message


@pytest.mark.parametrize(
    "change",
    ["actor = 'user:eve'", "outcome = 'success'", "target = NULL", "at = at + 1", "stream = 'x'", "idem = 'k'"],
)
def test_an_edited_column(folder: Path, change: str) -> None:
    tamper(folder, f"UPDATE event SET {change} WHERE pos = 3")
    verdict, codes = findings(folder)
    assert (verdict, codes[0]) == ("tampered", "COLUMN_MISMATCH")


def test_a_deleted_record(folder: Path) -> None:
    tamper(folder, "DELETE FROM event WHERE pos = 3")
    verdict, codes = findings(folder)
    assert (verdict, codes[0]) == ("tampered", "GAP")


def test_a_deleted_record_with_the_rest_moved_up(folder: Path) -> None:
    recs = records(folder)
    rewrite(folder, recs[:3] + recs[4:])
    assert findings(folder) == ("tampered", ["TRUNCATED", "ROLLED_BACK"])


def test_two_records_that_changed_places(folder: Path) -> None:
    recs = records(folder)
    rewrite(folder, [*recs[:3], recs[4], recs[3], *recs[5:]])
    assert findings(folder) == ("tampered", ["ROOT_MISMATCH", "ROOT_MISMATCH"])


def test_an_inserted_record(folder: Path) -> None:
    recs = records(folder)
    new = json.dumps(json.loads(recs[0]) | {"id": "new", "stream": "command:new"})
    rewrite(folder, [*recs[:3], new, *recs[3:]])
    verdict, codes = findings(folder)
    assert verdict == "tampered"
    assert "ROOT_MISMATCH" in codes


def test_records_added_without_a_signature(folder: Path) -> None:
    recs = records(folder)
    new = json.dumps(json.loads(recs[0]) | {"id": "new", "stream": "command:new"})
    rewrite(folder, [*recs, new])
    assert findings(folder) == ("tampered", ["UNSIGNED"])


def test_cut_off_with_the_checkpoint_left(folder: Path) -> None:
    rewrite(folder, records(folder)[:5])
    assert findings(folder) == ("tampered", ["TRUNCATED", "ROLLED_BACK"])


def test_cut_off_and_signed_anew_is_caught_by_the_pin_alone(folder: Path) -> None:
    rewrite(folder, records(folder)[:5], sign_again=True)
    assert findings(folder) == ("tampered", ["ROLLED_BACK"])
    shutil.rmtree(folder / "pins")
    assert findings(folder) == ("unverifiable", ["NO_PIN"])


def test_an_older_copy_put_back(folder: Path) -> None:
    old = (folder / "journal.sqlite").read_bytes()
    with open_journal(folder) as journal:
        journal.append([completed("command:0")], stamp())
    (folder / "journal.sqlite").write_bytes(old)
    assert findings(folder) == ("tampered", ["ROLLED_BACK"])


def test_the_file_deleted(folder: Path) -> None:
    (folder / "journal.sqlite").unlink()
    assert findings(folder) == ("tampered", ["ROLLED_BACK"])


def test_another_journal_in_its_place(folder: Path, tmp_path: Path) -> None:
    fill(tmp_path / "other", COUNT + 1)
    for name in ("journal.sqlite", "journal.key"):
        shutil.copy(tmp_path / "other" / name, folder / name)
    verdict, codes = findings(folder)
    assert verdict == "tampered"
    assert "BAD_SIGNATURE" in codes
    with open_journal(folder) as journal:
        assert journal.verify().verdict == "tampered"


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE checkpoint SET note = replace(note, x'0a', '')", "BAD_SIGNATURE"),
        # One signature in sixteen ends with this letter already.
        (
            "UPDATE checkpoint SET note = substr(note, 1, length(note) - 3)"
            " || iif(substr(note, -3, 1) = 'A', 'E=', 'A=') || char(10)",
            "BAD_SIGNATURE",
        ),
        ("DELETE FROM head", "HEAD_MISMATCH"),
        ("UPDATE head SET size = 7", "HEAD_MISMATCH"),
        ("UPDATE head SET tip = zeroblob(32)", "HEAD_MISMATCH"),
        ("UPDATE head SET origin = 'rig/client/0'", "WRONG_ORIGIN"),
        ("UPDATE event SET rec = CAST(x'ff' AS TEXT) WHERE pos = 0", "EDITED"),
        ("UPDATE event SET actor = CAST(x'ff' AS TEXT) WHERE pos = 0", "COLUMN_MISMATCH"),
        ("UPDATE event SET rec = '[]' WHERE pos = 0", "EDITED"),
        ("DROP TABLE checkpoint", "DAMAGED"),
        ("DELETE FROM event", "TRUNCATED"),
    ],
)
def test_other_changes(folder: Path, statement: str, code: str) -> None:
    tamper(folder, statement)
    verdict, codes = findings(folder)
    assert verdict == "tampered"
    assert code in codes


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
    ],
)
def test_what_is_missing_is_no_proof_of_tampering(
    folder: Path, damage: Callable[[Path], None], expected: tuple[str, list[str]]
) -> None:
    damage(folder)
    assert findings(folder) == expected


def test_any_flipped_byte_of_a_record_is_found(folder: Path) -> None:
    """Bytes of the file that belong to a record: either SQLite or the record's hash notices each."""
    path = folder / "journal.sqlite"
    whole = path.read_bytes()
    rec = records(folder)[4].encode()
    start = whole.index(rec)
    for offset in range(start, start + len(rec), 37):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x81]) + whole[offset + 1 :])
        assert findings(folder)[0] == "tampered", f"byte {offset - start} of the record"


def test_a_file_cut_short_is_told_and_not_raised(folder: Path) -> None:
    path = folder / "journal.sqlite"
    whole = path.read_bytes()
    for length in range(0, len(whole), 4096 * 3 + 100):
        path.write_bytes(whole[:length])
        assert findings(folder)[0] != "verified", f"{length} bytes"


def test_others_append_while_it_runs(folder: Path) -> None:
    """Between two pages of a check the lock is free; what comes in meanwhile is left for the next check."""
    from storage import verify as module

    with open_journal(folder) as journal, pytest.MonkeyPatch.context() as patch:
        check_record = module._Check._check_record

        def and_append(self: module._Check, *arguments: object, **options: object) -> None:
            check_record(self, *arguments, **options)  # type: ignore[arg-type]
            journal.append([received(f"command:during-{self.size}")], stamp())

        patch.setattr(module, "PAGE", 2)
        patch.setattr(module._Check, "_check_record", and_append)
        report = journal.verify()
        assert (report.verdict, report.size) == ("verified", COUNT)
        assert len(journal.read()) == 2 * COUNT
