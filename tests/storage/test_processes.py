"""Several processes at once, killed ones, and disks that do not take it."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from rig.kernel.errors import RigError
from storage import keys
from storage.pin import Pin
from storage.projections.releases import ReleasesProjection
from tests.storage.privileges import unprivileged
from tests.storage.support import completed, fill, findings, make_older, open_journal, received, stamp
from tests.support import TIMEOUT

KILLS = int(os.environ.get("RIG_KILLS", "5"))
"""Rounds of killing three writers."""
if sys.platform == "win32":
    pytest.skip("processes are killed and limited as POSIX does it", allow_module_level=True)


def start(folder: Path, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.storage.appender", str(folder), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def recorded_ids(folder: Path) -> list[str]:
    with open_journal(folder) as journal:
        return [record.id for record in journal.read(limit=100_000)]


def test_eight_processes_that_begin_together_lose_nothing(tmp_path: Path) -> None:
    """None of them finds a journal: they race for folder, key, schema and projections too."""
    folder = tmp_path / "home"
    writers = [start(folder, 12) for _ in range(8)]
    printed = [writer.communicate()[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 8
    assert [len(ids) for ids in printed] == [12] * 8
    ids = recorded_ids(folder)
    assert sorted(ids) == sorted(id for own in printed for id in own)
    for own in printed:
        assert [id for id in ids if id in own] == own
    assert findings(folder) == ("verified", [])
    with open_journal(folder) as journal:
        assert next(journal.rows("SELECT count(*) AS n FROM audit"))["n"] == 96
        assert journal.info().pinned == 96


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    for round in range(KILLS):
        writers = [start(tmp_path, 0) for _ in range(3)]
        for number, writer in enumerate(writers):
            assert writer.stdout is not None
            for _ in range(2 + 3 * (round % 5) + number):
                acknowledged.add(writer.stdout.readline().strip())
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            rest, _ = writer.communicate()
            # The last line may have been cut off by the kill.
            acknowledged.update(line.strip() for line in rest.splitlines(keepends=True) if line.endswith("\n"))
        assert findings(tmp_path) == ("verified", [])
    assert len(acknowledged) > KILLS * 3 * 2
    assert acknowledged <= set(recorded_ids(tmp_path))


def test_threads_of_one_process_share_a_journal(tmp_path: Path) -> None:
    with open_journal(tmp_path, timeout=TIMEOUT) as journal:

        def work(name: int) -> None:
            for number in range(10):
                journal.append([received(f"command:{name}-{number}")], stamp(id=f"{name}-{number}"))
                assert journal.stream(f"command:{name}-{number}")

        with ThreadPoolExecutor() as pool:
            list(pool.map(work, range(4)))
        assert [record.pos for record in journal.read()] == list(range(40))
    assert findings(tmp_path) == ("verified", [])


def test_one_of_several_processes_makes_the_key(tmp_path: Path) -> None:
    code = "import sys; from storage.keys import create; create(sys.argv[1], 'client'); print(open(sys.argv[1]).read())"
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", f"import rig; {code}", str(tmp_path / "journal.key")],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(6)
    ]
    assert len({maker.communicate()[0] for maker in makers}) == 1
    assert [maker.returncode for maker in makers] == [0] * 6
    assert os.listdir(tmp_path) == ["journal.key"]
    assert keys.load(str(tmp_path / "journal.key")) is not None


def test_a_pin_only_moves_forward(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    pin = Pin(str(tmp_path / "pins"), "client")
    old = pin.read()
    with open_journal(tmp_path) as journal:
        journal.append([completed("command:0")], stamp())
    new = pin.read()
    assert old is not None
    assert new is not None
    pin.advance(old)
    assert pin.read() == new


def test_a_process_that_holds_the_lock_is_named_as_the_reason(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with open_journal(tmp_path, timeout=0.05) as journal:
            assert len(journal.read()) == 1
            with pytest.raises(RigError, match="another process holds it") as raised:
                journal.append([completed("command:0")], stamp())
            assert raised.value.code == "journal_unavailable"
            other.execute("ROLLBACK")
            journal.append([completed("command:0")], stamp())


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    fill(tmp_path, 20)
    size = (tmp_path / "journal.sqlite").stat().st_size
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    acknowledged = 0
    with open_journal(tmp_path) as journal:

        def append_until_it_fails() -> None:
            nonlocal acknowledged
            for number in range(1000):
                journal.append([received(f"command:full-{number}")], stamp())
                acknowledged += 1

        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, limit[1]))
        try:
            with pytest.raises(RigError, match="the disk did not take it") as raised:
                append_until_it_fails()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        assert raised.value.code == "journal_unavailable"
        assert "Make room" in raised.value.hint
        assert findings(tmp_path) == ("verified", [])
        assert len(journal.read()) == 20 + acknowledged
        journal.append([received("command:after")], stamp())
        assert len(journal.read()) == 21 + acknowledged
    assert findings(tmp_path) == ("verified", [])


@pytest.mark.parametrize("older", [False, True], ids=["of this version", "of an older one"])
def test_a_read_only_journal_is_read_and_refuses_to_append(tmp_path: Path, older: bool) -> None:
    fill(tmp_path, 2)
    if older:
        make_older(tmp_path)
    for path in tmp_path.rglob("*"):
        path.chmod(0o400 if path.is_file() else 0o555)
    tmp_path.chmod(0o555)
    try:
        with unprivileged(), open_journal(tmp_path) as journal:
            assert len(journal.read()) == 2
            with pytest.raises(RigError) as raised:
                journal.append([completed("command:0")], stamp())
            assert journal.verify().verdict == "verified"
            assert len(list(journal.rows("SELECT * FROM audit"))) == 2
        with unprivileged(), open_journal(tmp_path, ReleasesProjection()) as journal:
            assert len(journal.read()) == 2, "a projection that cannot be made must not hide the records"
    finally:
        tmp_path.chmod(0o755)
        (tmp_path / "pins").chmod(0o755)
    assert raised.value.code == "journal_unavailable"
    assert "writable" in raised.value.hint


def test_a_journal_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with unprivileged(), pytest.raises(RigError) as raised:
        open_journal(tmp_path / "new")
    tmp_path.chmod(0o755)
    assert raised.value.code == "journal_unavailable"
    assert "RIG_HOME" in raised.value.hint


@pytest.mark.parametrize("state", ["full", "read-only"])
def test_a_disk_that_is(tmp_path: Path, state: str) -> None:
    """On a small file system of its own, in a mount namespace that ends with the process."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        pytest.skip("mount namespaces are Linux's, and `unshare` makes them")
    mount = f'mount -t tmpfs -o size=1m tmpfs "{tmp_path}"'
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("this user may make no mount namespace, or mount nothing in it")
    script = f'{mount} && exec "{sys.executable}" -m tests.storage.small_disk "$@"'
    argv = ["unshare", "-rm", "sh", "-c", script, "sh", state, str(tmp_path)]
    done = subprocess.run(argv, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == state
    assert list(tmp_path.iterdir()) == []
