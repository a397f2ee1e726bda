"""The kept output of a build: one JSON object per line, in the order it was written.

A line goes to the kernel before the next one is taken, so a node that is killed loses none that it has shown. The file
is bounded: beyond the limit only the newest lines are held, in memory, and put behind a mark when the build ends.
"""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from rig.contract.releases import LogLine
from rig.kernel.ids import rfc3339

LOG_LIMIT = 10 * 1024 * 1024
"""Bytes of one build's kept output."""
LINE_LIMIT = 16 * 1024
"""Characters of one line; the rest is cut off, with a mark."""
TAIL_LINES = 40
"""How many of the last lines are kept whatever the size, and shown with a failure."""
TAIL_WIDTH = 1000
"""Characters of a line that are shown with a failure."""

Source = Literal["rig", "out"]


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    seq: int
    at: int
    source: Source
    text: str


class BuildLog:
    """Writer of a build's output; use it as a context manager."""

    def __init__(
        self,
        path: Path,
        on_line: Callable[[str], None] | None = None,
        limit: int = LOG_LIMIT,
    ) -> None:
        self._path = path
        self._on_line = on_line
        self._limit = limit
        self._size = 0
        self._seq = 0
        self._left_out: deque[tuple[int, Source, str]] = deque(maxlen=TAIL_LINES)
        self._dropped = 0
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._fd = -1

    def __enter__(self) -> BuildLog:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._write_left_out()
        finally:
            os.close(self._fd)
            self._fd = -1

    def heading(self, line: str) -> None:
        """``-----> Installing dependencies``: a step begins."""
        self._add("rig", f"-----> {line}")

    def note(self, line: str) -> None:
        """A line of rig's own below a heading."""
        self._add("rig", f"       {line}")

    def output(self, line: str) -> None:
        """A line that a command wrote."""
        self._add("out", line)

    def tail(self) -> list[str]:
        """The last lines, oldest first, as an error shows them."""
        return [line if len(line) <= TAIL_WIDTH else line[: TAIL_WIDTH - 1] + "…" for line in self._tail]

    def _add(self, source: Source, line: str) -> None:
        if len(line) > LINE_LIMIT:
            line = f"{line[:LINE_LIMIT]} [… {len(line) - LINE_LIMIT} characters cut]"
        self._tail.append(line)
        at = time.time_ns()
        if self._size < self._limit:
            self._write(at, source, line)
        else:
            self._dropped += 1
            self._left_out.append((at, source, line))
        if self._on_line is not None:
            self._on_line(line)

    def _write_left_out(self) -> None:
        gap = self._dropped - len(self._left_out)
        if gap:
            self._write(time.time_ns(), "rig", f"[… {gap} lines left out: more than {self._limit} bytes of output]")
        for at, source, line in self._left_out:
            self._write(at, source, line)

    def _write(self, at: int, source: Source, line: str) -> None:
        self._seq += 1
        data = msgspec.json.encode(_Entry(self._seq, at, source, line)) + b"\n"
        if os.write(self._fd, data) != len(data):
            # A part of a line would make the next one unreadable, too.
            os.ftruncate(self._fd, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(self._path))
        self._size += len(data)


def read_logs(paths: Sequence[Path], after: int, limit: int) -> tuple[list[LogLine], bool]:
    """Up to ``limit`` lines after the first ``after`` ones, oldest first; and whether those were the last.

    Several logs stand one behind the other, their lines numbered through; one that is not there has none. Only what is
    given out is decoded: a log is asked for again and again while it grows.
    """
    lines: list[LogLine] = []
    decoder = msgspec.json.Decoder(_Entry)
    for number, raw in enumerate((raw for path in paths for raw in _whole_lines(path)), 1):
        if number <= after:
            continue
        if len(lines) == limit:
            return lines, False
        entry = decoder.decode(raw)
        lines.append(LogLine(seq=number, at=rfc3339(entry.at), text=entry.text, source=entry.source))
    return lines, True


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, if it is there. A last one that was cut off by a crash is left out."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for raw in file:
            if raw.endswith(b"\n"):
                yield raw
