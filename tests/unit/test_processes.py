"""Processes are told apart by pid and start time, and files are whole or not there."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rig.kernel.files import write_atomic
from rig.kernel.processes import alive, start_time
from tests.support import wait_until


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_process_has_one_start_time_until_it_ends(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if platform == "linux" and sys.platform != "linux":
        pytest.skip("needs /proc")
    # What it looks like inside depends on the platform at the time of its import, and that is the real one.
    pytest.importorskip("psutil")
    monkeypatch.setattr(sys, "platform", platform)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    try:
        started = start_time(child.pid)
        assert started
        assert alive(child.pid, started)
        assert not alive(child.pid, started + 1)
        child.stdin.close()
        # A zombie has ended, though its pid is still taken.
        wait_until(lambda: not alive(child.pid, started), "it has ended")
    finally:
        child.kill()
        child.wait()
    assert start_time(child.pid) == 0


MAIN_THREAD_ENDS = """
import ctypes, socket, sys, threading
listener = socket.create_server(("127.0.0.1", 0))
def rest():
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()
threading.Thread(target=rest).start()
ctypes.CDLL(None).syscall(60, 0)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine != "x86_64", reason="the number of exit(2), which ends one thread"
)
def test_a_process_runs_until_its_last_thread_has_ended() -> None:
    """The main thread of one that is being killed may be the first to end: until the last one has, its ports are
    taken."""
    child = subprocess.Popen(
        [sys.executable, "-c", MAIN_THREAD_ENDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        port = int(child.stdout.readline())
        wait_until(lambda: ") Z " in Path(f"/proc/{child.pid}/stat").read_text(), "its main thread has ended")
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", port)).close()
        started = start_time(child.pid)
        assert alive(child.pid, started)
        child.stdin.close()
        wait_until(lambda: not alive(child.pid, started), "the other has ended")
        socket.create_server(("127.0.0.1", port)).close()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_no_process_is_never_alive() -> None:
    assert start_time(0) == start_time(-1) == 0
    assert not alive(0, 0)


def test_a_program_may_have_any_name(tmp_path: Path) -> None:
    """Linux puts the name into the line that the start time is read from."""
    program = tmp_path / "a) S (b"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([program, "60"])
    try:
        assert alive(child.pid, start_time(child.pid))
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("durable", [True, False])
def test_write_atomic_replaces_and_keeps_others_out(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"one", durable=durable)
    write_atomic(path, b"two", durable=durable)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_write_atomic_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomic(path, b"one")
    assert os.listdir(tmp_path) == ["file"]
