"""What is signed while nothing happens, and what it proves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from storage import keys
from storage.checkpoint import parse, verify
from storage.heartbeat import QUIET, SECOND
from storage.witness import cosigned_at
from tests.storage.support import (
    FakeClock,
    fill,
    findings,
    make_older,
    open_journal,
    received,
    stamp,
    tamper,
    verification,
)

HOUR = QUIET * SECOND


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def beats(folder: Path) -> list[tuple[int, int, str]]:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        return connection.execute("SELECT size, at, note FROM heartbeat ORDER BY size").fetchall()


def quiet_after(folder: Path, clock: FakeClock, count: int) -> None:
    """A journal of some records and a quiet hour."""
    with open_journal(folder, clock=clock) as journal:
        for number in range(count):
            journal.append([received(f"command:{number}")], stamp())
        clock.at += HOUR
        assert journal.beat()


def test_a_quiet_hour_is_signed_and_an_hour_later_again(tmp_path: Path, clock: FakeClock) -> None:
    with open_journal(tmp_path, clock=clock) as journal:
        assert not journal.beat(), "an empty journal says nothing"
        journal.append([received()], stamp())
        assert not journal.beat()
        clock.at += HOUR
        assert journal.beat()
        assert not journal.beat()
        first = journal.info().quiet_until
        clock.at += HOUR
        assert journal.beat()
        assert journal.info().quiet_until > first
        journal.append([received("command:2")], stamp())
        assert journal.info().quiet_until == ""
    assert [size for size, _, _ in beats(tmp_path)] == [1], "one for each quiet time, which stays"
    assert findings(tmp_path) == ("verified", [])


def test_it_is_a_checkpoint_with_a_time_that_anybody_can_check(tmp_path: Path, clock: FakeClock) -> None:
    quiet_after(tmp_path, clock, 2)
    signer = keys.load(str(tmp_path / "journal.key"))
    assert signer is not None
    ((size, at, note),) = beats(tmp_path)
    assert (parse(note).size, parse(note).root.hex()) == (size, verification(tmp_path).root)
    assert verify(note, signer.origin, signer.public)
    assert cosigned_at(note, signer.origin, signer.public) == at == clock.at // SECOND


def test_a_clock_that_is_set_back_behind_it_is_flagged(tmp_path: Path, clock: FakeClock) -> None:
    quiet_after(tmp_path, clock, 2)
    clock.at -= HOUR // 2
    with open_journal(tmp_path, clock=clock) as journal:
        journal.append([received("command:late")], stamp())
        (late,) = journal.stream("command:late")
        assert late.meta["clock_back_us"] > 0
    assert findings(tmp_path) == ("verified", [])


def test_a_record_that_is_dated_back_behind_it_is_found(tmp_path: Path, clock: FakeClock) -> None:
    """Whoever has the key and rewrites the end still contradicts what was signed before."""
    quiet_after(tmp_path, clock, 2)
    kept = beats(tmp_path)
    tamper(tmp_path, "DELETE FROM heartbeat")
    clock.at -= HOUR // 2
    with open_journal(tmp_path, clock=clock) as journal:
        journal.append([received("command:late")], stamp())
    assert findings(tmp_path) == ("verified", [])
    tamper(tmp_path, ("INSERT INTO heartbeat VALUES (?, ?, ?)", kept[0]))
    report = verification(tmp_path)
    assert [(finding.code, finding.first) for finding in report.findings] == [("BACKDATED", 2)]
    assert report.verdict == "tampered"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE heartbeat SET at = at + 1", "BAD_SIGNATURE"),
        ("UPDATE heartbeat SET note = (SELECT note FROM checkpoint)", "BAD_SIGNATURE"),
        ("UPDATE heartbeat SET note = 'nothing happened'", "BAD_SIGNATURE"),
        ("UPDATE heartbeat SET size = 1", "COLUMN_MISMATCH"),
    ],
)
def test_one_that_was_changed_is_found(tmp_path: Path, clock: FakeClock, change: str, code: str) -> None:
    quiet_after(tmp_path, clock, 2)
    tamper(tmp_path, change)
    verdict, codes = findings(tmp_path)
    assert verdict == "tampered"
    assert code in codes


def test_records_that_went_away_behind_it_are_missed(tmp_path: Path, clock: FakeClock) -> None:
    quiet_after(tmp_path, clock, 3)
    tamper(tmp_path, "DELETE FROM event WHERE pos = 2", "DELETE FROM checkpoint", "DELETE FROM audit WHERE pos = 2")
    assert "TRUNCATED" in findings(tmp_path)[1]


def test_an_older_file_has_none(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    make_older(tmp_path)
    assert findings(tmp_path) == ("verified", [])
