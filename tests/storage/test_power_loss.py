"""A loss of power at any moment loses nothing that was acknowledged, and leaves a journal that goes on."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rig.kernel.errors import RigError
from storage import database
from tests.storage.powerloss import Disk, ForgetfulDisk, Op, library
from tests.storage.support import completed, fill, findings, open_journal, received, stamp

STATES = int(os.environ.get("RIG_POWER_LOSSES", "150"))
"""How many states of the disk are tried."""
FILLED = 3
"""Records that are there before."""
pytestmark = pytest.mark.skipif(library() is None, reason="this Python's SQLite cannot be reached by ctypes")


def lay_out(files: dict[str, bytes], home: Path, folder: Path) -> None:
    """Put the files of a state where the journal would find them again."""
    for path, content in files.items():
        (folder / Path(path).relative_to(home)).write_bytes(content)


def record_appends(home: Path, count: int) -> tuple[Disk, list[Op], dict[int, int]]:
    """Append on a disk that notes everything; gives it as it was, what was done, and what was acknowledged when."""
    before = Disk(home)
    acknowledged: dict[int, int] = {}
    with ForgetfulDisk() as disk, open_journal(home) as journal:
        for number in range(count):
            drafts = [received(f"command:n{number}"), completed(f"command:n{number}")]
            journal.append(drafts[: 1 + number % 2], stamp(id=f"n{number}"))
            acknowledged[len(disk.ops)] = journal.read(limit=10_000)[-1].pos + 1
        return before, list(disk.ops), acknowledged


def survivors(folder: Path) -> int:
    """Records that can be read; -1 where none can."""
    try:
        with open_journal(folder) as journal:
            return len(journal.read(limit=10_000))
    except RigError:
        return -1


def states(home: Path, folder: Path) -> Iterator[tuple[int, int, str]]:
    """Lose the power at many moments; gives for each what was acknowledged, what is there, and the verdict."""
    disk, ops, acknowledged = record_appends(home, 12)
    assert {op.kind for op in ops} == {"write", "sync", "truncate"}
    done = 0
    for number, moment in enumerate(sorted(random.Random(1).choices(range(len(ops) + 1), k=STATES))):
        for op in ops[done:moment]:
            disk.apply(op)
        done = moment
        folder.mkdir()
        shutil.copy(home / "journal.key", folder)
        lay_out(disk.after_power_loss(random.Random(number)), home, folder)
        promised = max((size for at, size in acknowledged.items() if at <= moment), default=FILLED)
        verdict, _ = findings(folder)
        yield promised, survivors(folder), verdict
        shutil.rmtree(folder)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    fill(tmp_path / "home", FILLED)
    return tmp_path / "home"


def test_what_was_acknowledged_is_there_after_any_loss_of_power(home: Path, tmp_path: Path) -> None:
    tried = list(states(home, tmp_path / "state"))
    assert len(tried) == STATES
    for promised, found, verdict in tried:
        assert found >= promised
        assert verdict == "unverifiable", "all is well, but the pin is not among the files"
    assert len({found for _, found, _ in tried}) > 10, "the moments were spread over the appends"


def test_the_journal_goes_on_after_a_loss_of_power(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    disk, ops, _ = record_appends(home, 3)
    for op in ops[: len(ops) // 2]:
        disk.apply(op)
    folder.mkdir()
    shutil.copy(home / "journal.key", folder)
    lay_out(disk.after_power_loss(random.Random(7)), home, folder)
    before = survivors(folder)
    fill(folder, 1)
    assert survivors(folder) == before + 1
    assert findings(folder) == ("verified", [])


def test_a_journal_that_does_not_sync_would_be_caught(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without `synchronous=FULL` the same losses lose records, or the whole file."""

    def careless(path: str, **options: Any) -> sqlite3.Connection:
        connection = database.connect(path, **options)
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr("storage.journal.connect", careless)
        disk, ops, acknowledged = record_appends(home, 3)
    for op in ops:
        disk.apply(op)
    folder = tmp_path / "state"
    folder.mkdir()
    shutil.copy(home / "journal.key", folder)
    lost = []
    for number in range(20):
        lay_out(disk.after_power_loss(random.Random(number)), home, folder)
        lost.append(survivors(folder) < max(acknowledged.values()))
    assert any(lost)
