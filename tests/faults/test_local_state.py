"""The user's own disk: full, read-only, its journal locked by another process, damaged, or without its key.

A change is refused before anything travels; what only reads goes on, with a warning.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from rig.contract.accounts import Account
from tests.e2e.rig import RIG, Ran
from tests.faults.harness import Record
from tests.faults.server import Answer, FaultServer
from tests.faults.terminal import OnTerminal
from tests.support import TIMEOUT, matching, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and mounts as Linux has them")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A platform that says yes to everything, and notes what it was asked."""
    body = msgspec.json.encode(Account(actor="user:ana", name="ana"))
    with FaultServer(Answer(200, body)) as server:
        yield server


class Machine:
    """One RIG_HOME that has worked so far."""

    def __init__(self, home: Path, server: FaultServer) -> None:
        self.home = home
        self.journal = home / "journal.sqlite"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RIG_")}
        self.environ = {**kept, "RIG_HOME": str(home), "RIG_URL": server.url, "RIG_TOKEN": "token"}
        assert self.rig("settings", "set", "network", "demo").exit == 0

    def rig(self, *argv: str, prefix: tuple[str, ...] = (), no_room: bool = False) -> Ran:
        """Run a command; with ``no_room`` there is none for any file."""
        # Nor would there be for what a measured process writes about itself: an empty file, which nobody can read.
        measured = {"COVERAGE_PROCESS_CONFIG"} if no_room else set()
        done = subprocess.run(
            [*prefix, RIG, *argv],
            env={name: value for name, value in self.environ.items() if name not in measured},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            preexec_fn=let_no_file_grow if no_room else None,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def machine(tmp_path: Path, server: FaultServer) -> Machine:
    return Machine(tmp_path / "home", server)


Runner = Callable[..., Ran]


def let_no_file_grow() -> None:
    """For the process that calls it."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@contextmanager
def disk_full(machine: Machine) -> Iterator[Runner]:
    yield lambda *argv: machine.rig(*argv, no_room=True)


@contextmanager
def read_only(machine: Machine) -> Iterator[Runner]:
    """Permissions stop nobody who is root: then the folder is mounted read-only, for the one process to see."""
    if os.geteuid() == 0:
        mount = 'mount --bind "$RIG_HOME" "$RIG_HOME" && mount -o remount,ro,bind "$RIG_HOME" && exec "$@"'
        yield lambda *argv: machine.rig(*argv, prefix=("unshare", "--mount", "sh", "-c", mount, "sh"))
        return
    machine.home.chmod(0o500)
    try:
        yield machine.rig
    finally:
        machine.home.chmod(0o700)


@contextmanager
def locked(machine: Machine) -> Iterator[None]:
    holder = sqlite3.connect(machine.journal, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        holder.close()


@contextmanager
def damaged(machine: Machine) -> Iterator[Runner]:
    whole = machine.journal.read_bytes()
    machine.journal.write_bytes(b"no database" + whole[11:])
    yield machine.rig
    machine.journal.write_bytes(whole)


@contextmanager
def cut_short(machine: Machine) -> Iterator[Runner]:
    """Records that were pinned are gone, as after a restore from an old copy."""
    whole = machine.home.parent / "whole"
    older = machine.home.parent / "older"
    shutil.copy(machine.journal, older)
    assert machine.rig("settings", "set", "network", "other").exit == 0
    shutil.move(machine.journal, whole)
    shutil.move(older, machine.journal)
    yield machine.rig
    shutil.move(whole, machine.journal)


@contextmanager
def no_key(machine: Machine) -> Iterator[Runner]:
    key, away = machine.journal.with_suffix(".key"), machine.home.parent / "key"
    shutil.move(key, away)
    yield machine.rig
    shutil.move(away, key)


@contextmanager
def folder_in_its_place(machine: Machine) -> Iterator[Runner]:
    away = machine.home.parent / "journal"
    shutil.move(machine.journal, away)
    machine.journal.mkdir()
    yield machine.rig
    machine.journal.rmdir()
    shutil.move(away, machine.journal)


TROUBLES: Mapping[str, Callable[[Machine], AbstractContextManager[Runner]]] = {
    "disk full": disk_full,
    "read-only": read_only,
    "damaged": damaged,
    "cut short": cut_short,
    "no key": no_key,
    "a folder in its place": folder_in_its_place,
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_change_is_refused_before_it_travels(trouble: str, machine: Machine, server: FaultServer) -> None:
    with TROUBLES[trouble](machine) as rig:
        refused = rig("create", "network", "demo", "-o", "json")
    assert refused.exit == 75, refused
    error = refused.json["error"]
    assert (error["code"], error["retryable"]) == ("journal_unavailable", True)
    assert error["hint"]
    assert server.requests == [], "nothing reached the platform"
    assert machine.rig("create", "network", "demo", "-o", "json").exit == 69, "when it is over, changes travel again"
    assert server.requests
    assert Record(machine.home).verify().verdict == "verified"


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_is_local_is_refused_too(trouble: str, machine: Machine) -> None:
    with TROUBLES[trouble](machine) as rig:
        settings = (machine.home / "settings.toml").read_bytes()
        refused = rig("settings", "set", "network", "elsewhere", "-o", "json")
        assert (refused.exit, refused.json["error"]["code"]) == (75, "journal_unavailable"), refused
        assert (machine.home / "settings.toml").read_bytes() == settings


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_only_reads_goes_on_with_a_warning(trouble: str, machine: Machine, server: FaultServer) -> None:
    with TROUBLES[trouble](machine) as rig:
        answered = rig("whoami", "-o", "json")
    assert answered.exit == 0, answered
    assert answered.data["name"] == "ana"
    [warning] = answered.json["warnings"]
    assert "could not be written to the journal" in warning
    assert server.requests


def test_a_disk_that_was_full_from_the_start(tmp_path: Path, server: FaultServer, machine: Machine) -> None:
    machine.environ["RIG_HOME"] = str(tmp_path / "new")
    refused = machine.rig("create", "network", "demo", "-o", "json", no_room=True)
    assert (refused.exit, refused.json["error"]["code"]) == (75, "journal_unavailable")
    assert server.requests == []
    assert machine.rig("whoami", no_room=True).exit == 0
    assert machine.rig("settings", "set", "network", "demo").exit == 0, "what was begun does not stand in the way"


def test_a_journal_that_stays_locked_is_not_waited_for_for_ever(machine: Machine, server: FaultServer) -> None:
    """All at once, since each waits for ten seconds."""
    commands = [("create", "network", "demo"), ("settings", "set", "network", "other"), ("whoami",)]
    with locked(machine), ThreadPoolExecutor() as pool:
        change, local, query = pool.map(lambda argv: machine.rig(*argv, "-o", "json"), commands)
    for refused in (change, local):
        assert (refused.exit, refused.json["error"]["code"]) == (75, "journal_unavailable"), refused
        assert "another process holds it" in refused.json["error"]["message"]
    assert query.exit == 0
    assert len(query.json["warnings"]) == 1
    assert [request.line.split()[0] for request in server.requests] == ["GET"]


def test_waiting_for_a_locked_journal_can_be_interrupted(machine: Machine, server: FaultServer) -> None:
    with locked(machine), OnTerminal("create", "network", "demo", env=machine.environ) as running:
        wait_until(lambda: holds(running.pid, machine.journal), "it waits for the lock")
        running.press_ctrl_c()
        code, seconds = running.wait()
        assert code == 130, running.text
        assert seconds < 9.0, "without Ctrl-C it waits for ten seconds"
    assert server.requests == []
    assert Record(machine.home).verify().verdict == "verified"


def holds(pid: int, path: Path) -> bool:
    """Whether a process has a file open."""
    found = []
    for link in matching(Path("/proc"), f"{pid}/fd/*"):
        with suppress(OSError):  # closed meanwhile
            found.append(os.readlink(link))
    return str(path) in found


def test_a_lock_that_is_let_go_in_time_is_waited_for(machine: Machine) -> None:
    with locked(machine):
        running = subprocess.Popen([RIG, "settings", "set", "output", "json"], env=machine.environ)
        wait_until(lambda: holds(running.pid, machine.journal), "it waits for the lock")
    assert running.wait(TIMEOUT) == 0
    assert json.loads(machine.rig("settings", "get", "output").stdout)["data"]["value"] == "json"


def test_a_killed_holder_leaves_no_lock(machine: Machine) -> None:
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN EXCLUSIVE'); c.execute('CREATE TABLE half(done)');"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(machine.journal)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGKILL)
    assert machine.rig("settings", "set", "network", "again").exit == 0
    assert Record(machine.home).verify().verdict == "verified"
