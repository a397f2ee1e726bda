"""Damage by chance: flipped bits, files cut short, old and half-written copies.

Each is reported, or it changed nothing: every table dumps as it did before. ``RIG_DAMAGE=300`` tries so many of each;
the seed is fixed, so what fails once fails again.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from events.command import CommandReceived
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft, OutboxRow, Settled
from storage.database import connect
from storage.evidence import Evidence
from storage.journal import Journal
from tests.storage.support import (
    START,
    FakeClock,
    completed,
    fill,
    findings,
    fingerprint,
    open_journal,
    received,
    stamp,
)

ROUNDS = int(os.environ.get("RIG_DAMAGE", "40"))
SCHEDULE = {"attempts", "next_at", "lease_until", "expires_at", "result", "seq"}
"""Columns of the outbox that say when to try again. They are nobody's evidence; see docs/journal.md."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with something in every table: records, checkpoints, an archive, what was sent and what was not."""
    folder = tmp_path_factory.mktemp("whole")
    fill(folder, 6)
    clock = FakeClock(START + 60_000_000_000)
    with open_journal(folder, clock=clock) as journal:
        Evidence(lambda: journal).archive(START + 3_000_000_000, "", stamp())
        for name in ("sent", "waiting"):
            fact = CommandReceived(command="app.create", arguments={"app": f"demo/{name}"})
            body = f'{{"command":"app.create","app":"demo/{name}"}}'.encode()
            row = OutboxRow(idem=name, key=f"demo/{name}", fingerprint=fingerprint(fact), body=body)
            draft = Draft(stream=f"command:{name}", fact=fact, target=f"demo/{name}", outcome="unknown")
            journal.append([draft], stamp(id=name), outbox=row)
        end = completed("command:sent", "app.create")
        journal.append([end], stamp(id="sent"), settle=Settled(idem="sent", state="delivered"))
    fill(folder, 3)
    assert findings(folder) == ("verified", [])
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "journal")


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table, row by row, and the schema."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        content = {"schema": connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()}
        for table in tables:
            if table == "sqlite_sequence":
                continue
            names = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
            kept = [f'"{name}"' for name in names if table != "outbox" or name not in SCHEDULE]
            content[table] = sorted(connection.execute(f'SELECT {", ".join(kept)} FROM "{table}"'), key=repr)
        return content


def rounds(name: str) -> Iterator[random.Random]:
    for number in range(ROUNDS):
        yield random.Random(f"{name} {number}")


def reported_or_harmless(folder: Path, before: dict[str, list[tuple[object, ...]]], what: str) -> bool:
    """Whether it was reported; fails where it was neither that nor harmless."""
    verdict, _ = findings(folder)
    if verdict != "verified":
        return True
    assert dump(folder / "journal.sqlite") == before, f"{what} changed something, and nothing was reported"
    return False


def test_a_flipped_bit_in_the_database(folder: Path) -> None:
    path = folder / "journal.sqlite"
    data, before, reported = path.read_bytes(), dump(path), 0
    for chance in rounds("database"):
        bit = chance.randrange(len(data) * 8)
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        (folder / "journal.sqlite-journal").write_bytes(b"")
        reported += reported_or_harmless(folder, before, f"bit {bit}")
    assert reported > 0


def test_names_that_are_no_text(folder: Path) -> None:
    """SQLite puts the name into its error, and Python cannot decode it."""
    path = folder / "journal.sqlite"
    data, before = path.read_bytes(), dump(path)
    assert b"tableheadhead" in data
    path.write_bytes(
        data.replace(b"tableheadhead", b"table\xeeeadhead").replace(b"CREATE TABLE head", b"CREATE TABBE head")
    )
    assert reported_or_harmless(folder, before, "a name that is no text")


def test_a_database_cut_short(folder: Path) -> None:
    path = folder / "journal.sqlite"
    data, before = path.read_bytes(), dump(path)
    for chance in rounds("cut"):
        length = chance.randrange(len(data))
        path.write_bytes(data[:length])
        (folder / "journal.sqlite-journal").write_bytes(b"")
        assert reported_or_harmless(folder, before, f"cutting it to {length} bytes")


@pytest.fixture
def hot(folder: Path) -> Path:
    """The journal as a machine leaves it that loses its power in the middle of a write: to be rolled back."""
    writing = connect(str(folder / "journal.sqlite"))
    writing.execute("PRAGMA cache_spill=1")
    writing.execute("BEGIN IMMEDIATE")
    writing.execute("UPDATE audit SET reason = hex(randomblob(4000))")
    writing.execute("UPDATE outbox SET state = 'dead'")
    writing.execute("PRAGMA cache_size=1")
    writing.execute("CREATE TABLE spill AS SELECT hex(randomblob(4000)) AS x FROM audit, audit")
    copy = shutil.copytree(folder, folder.parent / "hot")
    writing.execute("ROLLBACK")
    writing.close()
    assert (copy / "journal.sqlite-journal").stat().st_size > 4096
    return copy


def test_a_copy_taken_in_the_middle_of_a_write(folder: Path, hot: Path) -> None:
    assert (hot / "journal.sqlite").read_bytes() != (folder / "journal.sqlite").read_bytes()
    assert findings(hot) == ("verified", [])
    assert dump(hot / "journal.sqlite") == dump(folder / "journal.sqlite")


def test_the_same_without_its_rollback_journal(hot: Path) -> None:
    (hot / "journal.sqlite-journal").unlink()
    assert findings(hot)[0] == "tampered"


def test_a_flipped_bit_in_the_rollback_journal(folder: Path, hot: Path) -> None:
    before = dump(folder / "journal.sqlite")
    data, journal = (hot / "journal.sqlite").read_bytes(), (hot / "journal.sqlite-journal").read_bytes()
    for chance in rounds("rollback"):
        bit = chance.randrange(len(journal) * 8)
        flipped = bytearray(journal)
        flipped[bit // 8] ^= 1 << bit % 8
        (hot / "journal.sqlite").write_bytes(data)
        (hot / "journal.sqlite-journal").write_bytes(flipped)
        reported_or_harmless(hot, before, f"bit {bit} of the rollback journal")


def test_a_rollback_journal_cut_short(folder: Path, hot: Path) -> None:
    before = dump(folder / "journal.sqlite")
    data, journal = (hot / "journal.sqlite").read_bytes(), (hot / "journal.sqlite-journal").read_bytes()
    for chance in rounds("rollback cut"):
        length = chance.randrange(len(journal))
        (hot / "journal.sqlite").write_bytes(data)
        (hot / "journal.sqlite-journal").write_bytes(journal[:length])
        reported_or_harmless(hot, before, f"cutting the rollback journal to {length} bytes")


def test_yesterday_s_copy_put_back(folder: Path, tmp_path: Path) -> None:
    yesterday = shutil.copytree(folder, tmp_path / "yesterday")
    fill(folder, 1)
    shutil.copy(yesterday / "journal.sqlite", folder / "journal.sqlite")
    assert findings(folder) == ("tampered", ["ROLLED_BACK"])
    # With its pins it is as it was, and only somebody who kept a later checkpoint can tell.
    assert findings(yesterday) == ("verified", [])
    assert findings(yesterday, folder / "pins" / "client.checkpoint") == ("tampered", ["ROLLED_BACK"])


def test_copies_of_two_machines_mixed_up(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    fill(ours, 5)
    fill(theirs, 5)
    for files in (["journal.sqlite"], ["journal.key"], ["journal.sqlite", "journal.key"], ["pins/client.checkpoint"]):
        mixed = shutil.copytree(ours, tmp_path / "-".join(files).replace("/", "_"))
        for file in files:
            shutil.copy(theirs / file, mixed / file)
        verdict, codes = findings(mixed)
        assert verdict == "tampered", files
        assert {"WRONG_ORIGIN", "BAD_SIGNATURE"} & set(codes), files
        with open_journal(mixed) as journal, pytest.raises(RigError, match=r"not as rig left it") as refused:
            journal.append([received("command:mixed")], stamp())
        assert "rig journal verify" in refused.value.hint


def test_a_clock_that_jumps_both_ways_is_flagged_and_changes_nothing_else(tmp_path: Path) -> None:
    hour = 3_600_000_000_000
    clock = FakeClock()
    with open_journal(tmp_path, clock=clock) as journal:
        for jump in (0, -hour, 25 * hour, -30 * hour, hour):
            clock.at += jump
            journal.append([received(f"command:{jump}")], stamp())
        flags = [record.meta.get("clock_back_us", 0) > 0 for record in journal.read()]
        assert flags == [False, True, False, True, False]
        assert [record.pos for record in journal.read()] == list(range(5))
        first, end = span(journal, START - 10 * hour, START + 10 * hour)
        assert (first, end) == (0, 5), "the range holds all records of the time, others among them"
    assert findings(tmp_path) == ("verified", [])


def span(journal: Journal, since: int, until: int) -> tuple[int, int]:
    from storage.export import open_source

    with closing(open_source(journal.path)) as source:
        return source.positions(since, until)
