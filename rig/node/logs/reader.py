"""Reads a log stream, while it is being written and afterwards. Replay and live are the same: read on from a seq."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from rig.node.logs.segments import CONTINUES, END, KIND, MAGIC, NOTE, STDERR, STDOUT, Frame, scan, segments

Source = Literal["stdout", "stderr", "rig"]
SOURCES: dict[int, Source] = {STDOUT: "stdout", STDERR: "stderr", NOTE: "rig"}

META = "stream.json"


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream is about; stands in its folder."""

    epoch: str
    owner: str = ""
    labels: dict[str, str] = {}
    created_at: int = 0
    """Nanoseconds since the epoch."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line. ``continues``: it was over the limit, and the next line of the same source goes on with it."""

    seq: int
    at: int
    """When it was read from the process, ns since the epoch."""
    source: Source
    text: str
    continues: bool = False


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What a read gives. ``gaps``: first and last seq of lines that are gone: removed, damaged, or never written."""

    lines: list[Line]
    gaps: list[tuple[int, int]] = []
    ended: str = ""
    """How the run ended, as ``exit 0``, if it has and these are its last lines."""

    @property
    def last(self) -> int:
        """Where to read on, given that the read began there."""
        return max([line.seq for line in self.lines[-1:]] + [gap[1] for gap in self.gaps[-1:]], default=0)


class LogReader:
    """Reads one stream. It keeps its place, so that reading on costs what is new, not what is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seq = -1
        self._path = ""
        self._offset = 0

    def info(self) -> StreamInfo | None:
        """What the stream is about; None where nothing says so."""
        try:
            return msgspec.json.decode((self.folder / META).read_bytes(), type=StreamInfo)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def read(self, after: int = 0, limit: int = 1000) -> Batch:
        """Up to ``limit`` lines with a seq greater than ``after``, oldest first; fewer where there are no more yet.

        Numbers that are missing between ``after`` and the last line are told as gaps.
        """
        lines: list[Line] = []
        gaps: list[tuple[int, int]] = []
        ended = ""
        seq = after
        for frame in self._frames(after):
            if frame[2] & KIND == END:
                ended = frame[3].decode(errors="replace")
                continue
            if frame[0] <= seq:
                continue
            if len(lines) == limit:
                ended = ""
                self._seq = -1  # the place is behind the frame that was not wanted
                break
            if frame[0] > seq + 1:
                gaps.append((seq + 1, frame[0] - 1))
            ended = ""
            seq = frame[0]
            lines.append(_line(frame))
        else:
            self._seq = seq
        return Batch(lines=lines, gaps=gaps, ended=ended)

    def tail(self, count: int) -> list[Line]:
        """The last ``count`` lines, oldest first."""
        newest: deque[Line] = deque()
        for _, path in reversed(segments(str(self.folder)) if count > 0 else []):
            frames = [frame for frame, _ in _scan_file(path, len(MAGIC)) if frame[2] & KIND != END]
            newest.extendleft(_line(frame) for frame in reversed(frames[-(count - len(newest)) :]))
            if len(newest) >= count:
                break
        return list(newest)

    def bounds(self) -> tuple[int, int]:
        """First and last seq that are there; (1, 0) for an empty stream."""
        found = segments(str(self.folder))
        if not found:
            return 1, 0
        last = found[-1][0] - 1
        for frame, _ in _scan_file(found[-1][1], len(MAGIC)):
            last = frame[0]
        return found[0][0], last

    def _frames(self, after: int) -> Iterator[Frame]:
        """Frames from the last known place, else from the segment in which ``after`` stands."""
        found = segments(str(self.folder))
        if self._seq == after and any(path == self._path for _, path in found):
            start, offset = next(i for i, (_, path) in enumerate(found) if path == self._path), self._offset
        else:
            start, offset = max(0, bisect_right([first for first, _ in found], after) - 1), len(MAGIC)
        for _, path in found[start:]:
            self._path, self._offset = path, offset
            for frame, end in _scan_file(path, offset):
                self._offset = end
                yield frame
            offset = len(MAGIC)


def _scan_file(path: str, offset: int) -> Iterator[tuple[Frame, int]]:
    """The whole frames of a segment from ``offset`` on; none where retention has just removed it."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return
    for frame, end in scan(data):
        yield frame, offset + end


def _line(frame: Frame) -> Line:
    seq, at, flags, payload = frame
    return Line(
        seq=seq,
        at=at,
        source=SOURCES.get(flags & KIND, "rig"),
        text=payload.decode(errors="replace"),
        continues=bool(flags & CONTINUES),
    )
