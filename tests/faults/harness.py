"""Running rig in this process, on a pipe or on a terminal, and reading what it put on its record."""

from __future__ import annotations

import codecs
import io
import json
import os
import pty
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TextIO

import msgspec

from rig.cli.run import run
from rig.contract.verification import Verification
from rig.kernel.ports import Recorded
from storage.journal import Journal
from storage.projections.audit import AuditProjection
from storage.projections.releases import ReleasesProjection

Where = Literal["pipe", "json", "terminal"]
"""A pipe and text, a pipe and JSON, a terminal and text."""


class Ended(msgspec.Struct, frozen=True):
    """How one command ended."""

    exit: int
    stdout: str
    stderr: str
    """On a terminal: all that was on it."""
    seconds: float
    where: Where

    @property
    def error(self) -> dict[str, Any]:
        """The error in the one JSON document on stdout."""
        document = json.loads(self.stdout)
        assert document["schema"] == "rig/1"
        error: dict[str, Any] = document["error"]
        return error


def run_rig(*argv: str, where: Where = "pipe", stdin: bytes = b"") -> Ended:
    """Run one command to its end."""
    arguments = ["-o", "json", *argv] if where == "json" else list(argv)
    before = signal.getsignal(signal.SIGTERM)
    began = time.monotonic()
    try:
        if where == "terminal":
            with _terminal(stdin) as shown:
                code = run(arguments)
            return Ended(code, "", "".join(shown), time.monotonic() - began, where)
        with _pipes(stdin) as (out, err):
            code = run(arguments)
        return Ended(code, out.getvalue(), err.getvalue(), time.monotonic() - began, where)
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _standard(stdin: TextIO, stdout: TextIO, stderr: TextIO) -> Iterator[None]:
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = stdin, stdout, stderr
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


@contextmanager
def _pipes(stdin: bytes) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    out, err = io.StringIO(), io.StringIO()
    with _standard(io.TextIOWrapper(io.BytesIO(stdin)), out, err):
        yield out, err


@contextmanager
def _terminal(stdin: bytes) -> Iterator[list[str]]:
    """A terminal on which nobody types, with or without a pipe into rig; gives what was on it."""
    ours, theirs = pty.openpty()
    shown: list[str] = []

    def look() -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may come in two pieces
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # Linux: the other side has closed
                return
            if not data:
                return
            shown.append(decoder.decode(data))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        with (
            os.fdopen(os.dup(theirs), "r") as keyboard,
            os.fdopen(theirs, "w") as screen,
            _standard(io.TextIOWrapper(io.BytesIO(stdin)) if stdin else keyboard, screen, screen),
        ):
            yield shown
    finally:
        looking.join()
        os.close(ours)


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where the system has such: thousands of journal entries there cost no wait for a disk."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(prefix="rig-faults-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


class Record:
    """The journal of one RIG_HOME: what was added to it since it was last looked at."""

    def __init__(self, home: Path) -> None:
        self._path = home / "journal.sqlite"
        self._seen = -1

    def news(self) -> list[Recorded]:
        """The records that were added."""
        with self._open() as journal:
            added: list[Recorded] = []
            while page := journal.read(self._seen):
                added += page
                self._seen = page[-1].pos
            return added

    def verify(self) -> Verification:
        with self._open() as journal:
            return journal.verify()

    def outbox(self) -> list[tuple[str, str]]:
        """Command id and state of every change, oldest first."""
        with self._open() as journal:
            return [(row["idem"], row["state"]) for row in journal.rows("SELECT idem, state FROM outbox ORDER BY seq")]

    def _open(self) -> Journal:
        projections = (AuditProjection(), ReleasesProjection())
        return Journal.open(self._path, origin="client", projections=projections)
