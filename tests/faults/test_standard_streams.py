"""Output that cannot be written: a full disk behind stdout, a reader that has gone, streams that were closed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

import rig.__main__
from events.command import CommandCompleted
from tests.e2e.rig import RIG, Ran
from tests.faults.harness import Record
from tests.support import TIMEOUT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="file descriptors as Unix has them")

COMMANDS = [
    ("settings", "list"),
    ("settings", "list", "-o", "json"),
    ("settings", "list", "-o", "jsonl"),
    ("settings", "list", "-q", "file"),
    ("settings", "set", "network", "demo"),
    ("--help",),
    ("--version",),
    ("help", "deploy"),
    ("create", "--help"),
]


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RIG_")}
    return {**kept, "RIG_HOME": str(tmp_path / "home")}


def run(
    argv: tuple[str, ...],
    environ: Mapping[str, str],
    stdout: int | None = subprocess.PIPE,
    before: Callable[[], None] | None = None,
) -> Ran:
    done = subprocess.run(
        [RIG, *argv],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT,
        preexec_fn=before,
        check=False,
    )
    return Ran(done.returncode, done.stdout or "", done.stderr)


def run_for_nobody(argv: tuple[str, ...], environ: Mapping[str, str]) -> Ran:
    """Run a command whose output goes into a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return run(argv, environ, stdout=writing)
    finally:
        os.close(writing)


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_behind_stdout(argv: tuple[str, ...], environ: Mapping[str, str]) -> None:
    with open("/dev/full", "wb") as full:
        ran = run(argv, environ, stdout=full.fileno())
    assert (ran.exit, ran.stderr) == (1, "error: The output could not be written: No space left on device.\n")


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_a_reader_that_has_gone(argv: tuple[str, ...], environ: Mapping[str, str]) -> None:
    """As `rig … | head -0`: whoever closed the pipe has seen enough."""
    ran = run_for_nobody(argv, environ)
    assert (ran.exit, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    "argv",
    [("journal", "export"), *(("audit", "export", "--format", name) for name in ("jsonl", "html", "csv", "ocsf"))],
    ids=" ".join,
)
def test_a_reader_of_an_export_that_has_gone(argv: tuple[str, ...], environ: Mapping[str, str]) -> None:
    """Nothing is said to have been exported that nobody has got."""
    for _ in range(2):
        run(("settings", "set", "network", "demo"), environ)
    ran = run_for_nobody(argv, environ)
    assert (ran.exit, ran.stderr) == (0, "")
    record = Record(Path(environ["RIG_HOME"]))
    end = record.news()[-1].fact
    assert isinstance(end, CommandCompleted)
    assert end.code == "cancelled"
    assert record.verify().verdict == "verified"


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_a_closed_stdout(argv: tuple[str, ...], environ: Mapping[str, str]) -> None:
    ran = run(argv, environ, before=lambda: os.close(1))
    assert (ran.exit, ran.stderr) == (1, "error: The output could not be written: Bad file descriptor.\n")


def test_what_was_done_is_on_the_record_even_if_nobody_could_be_told(environ: Mapping[str, str]) -> None:
    run(("settings", "set", "network", "demo"), environ, before=lambda: os.close(1))
    record = Record(Path(environ["RIG_HOME"]))
    outcome = record.news()[-1]
    assert isinstance(outcome.fact, CommandCompleted)
    assert (outcome.fact.command, outcome.outcome) == ("settings.set", "success")
    assert record.verify().verdict == "verified"
    assert run(("settings", "get", "network"), environ).stdout.strip() == "demo"


@pytest.mark.parametrize("closed", [(0,), (2,), (0, 2), (0, 1, 2)])
def test_other_streams_that_are_closed(closed: tuple[int, ...], environ: Mapping[str, str]) -> None:
    def close() -> None:
        for number in closed:
            os.close(number)

    assert run(("settings", "list"), environ, before=close).exit == (1 if 1 in closed else 0)
    assert run(("whoami",), environ, before=close).exit == 4
    assert Record(Path(environ["RIG_HOME"])).verify().verdict == "verified"


def test_ctrl_c_before_there_was_anything_to_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(argv: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "rig.cli.run", SimpleNamespace(run=interrupt))
    monkeypatch.setitem(sys.modules, "gc", SimpleNamespace(set_threshold=str, freeze=str))  # this process goes on
    monkeypatch.setattr(sys, "argv", ["rig", "whoami"])
    assert rig.__main__.main() == 130
