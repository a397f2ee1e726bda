"""A rebuild that is killed leaves the tables that were there; one that goes on holds up nobody."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.kills.arming import Failpoints
from tests.storage.records import open_record
from tests.storage.support import completed, received, stamp
from tests.support import wait_until

ROOT = Path(__file__).parents[2]
COUNT = 30


@pytest.fixture
def points(tmp_path: Path) -> Failpoints:
    return Failpoints(tmp_path / "points")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal whose tables somebody has edited."""
    folder = tmp_path / "home"
    with open_record(folder) as journal:
        for number in range(COUNT):
            stream, corr = f"command:{number // 2}", f"c{number // 2}"
            draft = completed(stream) if number % 2 else received(stream)
            journal.append([draft], stamp(id=corr))
    with closing(sqlite3.connect(folder / "journal.sqlite")) as connection, connection:
        connection.execute("UPDATE audit SET actor = 'edited'")
    return folder


@contextmanager
def rebuilding(folder: Path, points: Failpoints) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.kills.rebuilder", str(folder)],
        cwd=ROOT,
        env={**os.environ, **points.environ},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def actors(folder: Path) -> set[Any]:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        return {actor for (actor,) in connection.execute("SELECT actor FROM audit")}


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith((".shadow", ".shadow-journal"))]


@pytest.mark.parametrize("point", ["projection.folded", "projection.taken"])
def test_a_killed_rebuild_leaves_the_tables_that_were_there(folder: Path, points: Failpoints, point: str) -> None:
    points.arm(point)
    with rebuilding(folder, points) as process:
        assert process.wait() == -signal.SIGKILL
    assert points.reached()
    assert leftovers(folder), "it was killed before it could clear away"
    assert actors(folder) == {"edited"}
    points.clear()
    with rebuilding(folder, points) as process:
        assert process.wait() == 0
    assert actors(folder) == {"user:ana"}
    assert leftovers(folder) == []


def test_where_the_process_of_a_part_is_killed_all_is_folded_by_the_other(folder: Path, points: Failpoints) -> None:
    points.arm("projection.part")
    with rebuilding(folder, points) as process:
        assert process.wait() == 0
    assert points.reached()
    assert actors(folder) == {"user:ana"}
    assert leftovers(folder) == []


def test_others_read_and_write_while_tables_are_folded_anew(folder: Path, points: Failpoints) -> None:
    points.arm("projection.folded", "stop")
    with rebuilding(folder, points) as process:
        wait_until(points.reached, "the tables are folded")
        with open_record(folder) as journal:
            assert {row["actor"] for row in journal.rows("SELECT actor FROM audit")} == {"edited"}
            journal.append([received("command:meanwhile")], stamp("user:ben", "meanwhile"))
            os.kill(process.pid, signal.SIGCONT)
            assert process.wait() == 0
            rows = list(journal.rows("SELECT pos, actor FROM audit ORDER BY pos"))
            assert (len(rows), rows[-1]) == (COUNT // 2 + 1, {"pos": COUNT, "actor": "user:ben"})
            assert {row["actor"] for row in rows[:-1]} == {"user:ana"}
            assert journal.verify().verdict == "verified"
    assert leftovers(folder) == []
