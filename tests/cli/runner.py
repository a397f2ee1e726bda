"""Command lines, run in this process or as a process of their own, and what they print made comparable."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from tests.e2e.rig import SECONDS

RIG = (sys.executable, "-m", "rig")
HOST = "laptop"
"""The machine on which all this is done, whatever it is called: what is shown may neither depend on the name's length
nor on its being a word of rig's own."""


class Result(msgspec.Struct, frozen=True):
    """How a command line ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.stdout)
        return found


def environment(home: Path, **extra: str) -> dict[str, str]:
    """An environment without anything of the user's own rig."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "USER": "ana", "LOGNAME": "ana", "RIG_HOME": str(home), **extra}


@contextmanager
def surroundings(environ: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Environment, folder, host name, signal handler and an empty standard input of one run, put back after it."""
    before, cwd, handler = dict(os.environ), os.getcwd(), signal.getsignal(signal.SIGTERM)
    stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO())
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    try:
        with patch("socket.gethostname", lambda: HOST):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.chdir(cwd)
        sys.stdin = stdin
        signal.signal(signal.SIGTERM, handler)


class Shell:
    """Runs command lines on one RIG_HOME, in one folder."""

    def __init__(self, home: Path, folder: Path, **extra: str) -> None:
        self.home = home
        self.folder = folder
        self.environ = environment(home, **extra)

    def __call__(self, *argv: str, **extra: str) -> Result:
        """In this process, without a terminal."""
        from rig.cli.run import run

        out, err = io.StringIO(), io.StringIO()
        with surroundings({**self.environ, **extra}, self.folder), redirect_stdout(out), redirect_stderr(err):
            code = run(list(argv))
        return Result(code, out.getvalue(), err.getvalue())

    def do(self, *argv: str) -> Result:
        """A command that has to succeed, as part of what a test needs."""
        result = self(*argv)
        assert result.code == 0, result
        return result

    def start(self, *argv: str, **options: Any) -> subprocess.Popen[str]:
        """As a process of its own."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
        return subprocess.Popen([*RIG, *argv], env=self.environ, cwd=self.folder, text=True, **options)

    def process(self, *argv: str, **options: Any) -> Result:
        """As a process of its own, to its end."""
        process = self.start(*argv, **options)
        out, err = process.communicate(timeout=SECONDS)
        return Result(process.returncode, out or "", err or "")


RULES: Sequence[tuple[str, str]] = (
    # In the record of a platform that many tests share; on a fresh one they are small, and shown.
    (r'"pos": [0-9]{2,}', '"pos": "<pos>"'),
    (r'"left": [0-9]{2,}', '"left": "<records>"'),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z", "<time>"),
    (r"\brig/client/[0-9a-f]{16}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", "<verifier>"),
    (r"\brig/client/[0-9a-f]{16}\b", "<origin>"),
    (r"\b[0-9a-f]{64}\b", "<hash>"),
    (r"\b[0-9a-f]{32}\b", "<salt>"),
    (r"\b[0-9a-f]{20}\b", "<build>"),
    (r"\b1[0-9]{18}\b", "<nanoseconds>"),
    (r'(process\\?":\\?")[0-9]+:[0-9]+', r"\1<pid>:<start>"),
    (r"\b[0-9a-f]{16}\b", "<hash>"),
    (r"\b[0-9a-f]{12}\b", "<hash>"),
    (r"(?<=  )[0-9a-f]{8}(?=  )", "<hash>"),
    (r"\bid [0-9a-f]{8}\b", "id <key>"),
    (r'"key_id": "[0-9a-f]{8}"', '"key_id": "<key>"'),
    (r'"checkpoint": ".*"', '"checkpoint": "<note>"'),
    (r'"(pid|memory|sent|listing|upload|release|bytes|port|revision)": [0-9]+(?=[,\n])', r'"\1": 0'),
    (r'"port": [0-9]+', '"port": 0'),
    (r"(?m)^process  +[0-9]+", "process  <pid>"),
    (r"\b[0-9.]+ ([KMG]i)?B\b", "<size>"),
    (r"\b[0-9.]+ ((s|min|h|d) ago|m?s)\b", "<duration>"),
    (r"\b(localhost|127\.0\.0\.1):[0-9]+", r"\1:<port>"),
    (r"/invite/[A-Za-z0-9._-]+", "/invite/<code>"),
    (r"\brig_st\.[A-Za-z0-9_-]{43}", "<token>"),
    (r"SQLite [0-9.]+", "SQLite <version>"),
    (r"(?m)^(SQLite|file system) .*$", r"\1  <this machine>"),
    (r'"(sqlite|file_system)": ".*"', r'"\1": "<this machine>"'),
    (r" {2,}(?=\S)", "  "),
)


PASSING = re.compile(
    r"(?m)^((Waiting for the turn of|Building|Taking over the build for|Starting|Checking the health of|Switching to)"
    r" v\d+|(Starting|Stopping|Restarting|Scaling) \S+/\S+|  -----> .*|  \d+ of \d+ \w+)\n"
)
"""Which steps of a release or a restart are seen, and how far they are, depends on how fast it is."""


def comparable(text: str, replaced: Mapping[str, str]) -> str:
    """The text without what differs between machines and runs: times, ids, hashes, sizes, ports, paths."""
    for value, name in sorted(replaced.items(), key=lambda pair: -len(pair[0])):
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])", name, text)
    return "".join(_comparable_line(line) for line in text.splitlines(keepends=True))


def _comparable_line(line: str) -> str:
    body = line.lstrip(" ")
    indent = line[: len(line) - len(body)]
    for pattern, name in RULES:
        body = re.sub(pattern, name, body)
    return indent + body
