"""The segments of a log stream: their format, and their one writer. Stdlib only, few imports: the shim uses it.

A stream is a folder. A segment is a file of it, ``<first seq, 20 digits>.seg``: `MAGIC`, then frames. A frame is
`HEADER` (little endian: length of the payload u32, CRC-32 u32, seq u64, time in ns since the epoch u64, flags u8) and
the payload, the line's bytes as they were written. The CRC covers what follows it. Sequence numbers begin at 1 and
have no gap as long as nothing was lost; a reader that sees one knows how many lines are missing.
"""

from __future__ import annotations

import os
import struct
import zlib

TYPE_CHECKING = False  # as typing.TYPE_CHECKING, without the cost of importing typing
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAGIC = b"riglog1\n"
HEADER = struct.Struct("<IIQQB")
_CHECKED = struct.Struct("<QQB")
SUFFIX = ".seg"

STDOUT = 1
STDERR = 2
NOTE = 3
"""The platform's own word about the run."""
END = 4
"""Not a line: the run is over. It carries the seq of the last line; the payload says how, as ``exit 0``."""
KIND = 0x0F
CONTINUES = 0x80
"""The line was cut here because it is over the limit; the next frame goes on with it."""

MAX_PAYLOAD = 1 << 20
"""A frame that announces more is damage, not data."""

SEGMENT_BYTES = 1 << 20
TOTAL_BYTES = 32 << 20

Entry = tuple[int, bytes]
"""Flags and payload."""
Frame = tuple[int, int, int, bytes]
"""Seq, time in ns, flags, payload."""


def encode(seq: int, at: int, flags: int, payload: bytes) -> bytes:
    """One frame."""
    crc = zlib.crc32(payload, zlib.crc32(_CHECKED.pack(seq, at, flags)))
    return HEADER.pack(len(payload), crc, seq, at, flags) + payload


def scan(data: bytes, offset: int = 0) -> Iterator[tuple[Frame, int]]:
    """The whole frames of ``data`` from ``offset`` on, each with the offset behind it.

    It stops at the first frame that is torn or damaged: the offset of the last frame tells how far the data is good.
    """
    size = HEADER.size
    while offset + size <= len(data):
        length, crc, seq, at, flags = HEADER.unpack_from(data, offset)
        end = offset + size + length
        if length > MAX_PAYLOAD or end > len(data):
            return
        payload = bytes(data[offset + size : end])
        if zlib.crc32(payload, zlib.crc32(_CHECKED.pack(seq, at, flags))) != crc:
            return
        yield (seq, at, flags, payload), end
        offset = end


def segment_name(first: int) -> str:
    return f"{first:020d}{SUFFIX}"


def segments(folder: str) -> list[tuple[int, str]]:
    """First seq and path of every segment, oldest first; none where there is no such folder."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    found = [name for name in names if name.endswith(SUFFIX) and name[: -len(SUFFIX)].isdigit()]
    return [(int(name[: -len(SUFFIX)]), f"{folder}/{name}") for name in sorted(found)]


class Writer:
    """Appends to a stream; there must be no other writer at the same time.

    What an earlier writer left is taken over: a torn tail is cut off, and numbering goes on behind the last whole
    line. The oldest segments are removed once all together are over ``total_bytes``. A line that cannot be written
    (a full disk) is dropped, and its number with it, so that the loss shows as a gap: whoever prints never waits.
    """

    def __init__(self, folder: str, segment_bytes: int = SEGMENT_BYTES, total_bytes: int = TOTAL_BYTES) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._total_bytes = total_bytes
        self._fd = -1
        self._size = 0
        self.next_seq = 1
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._recover()

    def append(self, entries: Iterable[Entry], at: int) -> None:
        """Write lines that were read at ``at`` (ns since the epoch), with one system call."""
        frames = bytearray()
        first = seq = self.next_seq
        for flags, payload in entries:
            if flags & KIND == END:
                frames += encode(seq - 1, at, flags, payload)
            else:
                frames += encode(seq, at, flags, payload)
                seq += 1
        self.next_seq = seq
        try:
            if self._fd < 0 or self._size >= self._segment_bytes:
                self._roll(first)
            self._write(frames)
        except OSError:
            self._give_up()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes | bytearray) -> None:
        written = os.write(self._fd, data)
        if written != len(data):
            raise OSError("short write")
        self._size += written

    def _give_up(self) -> None:
        # A part of a frame must not stand in the middle of a segment: what follows would be unreadable.
        if self._fd >= 0:
            try:
                os.ftruncate(self._fd, self._size)
            finally:
                self.close()

    def _roll(self, first: int) -> None:
        self.close()
        path = f"{self._folder}/{segment_name(first)}"
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        # Nothing but a failed attempt can have left a segment of this name: its lines were never acknowledged.
        os.ftruncate(self._fd, 0)
        self._size = 0
        self._write(MAGIC)
        self._retain()

    def _retain(self) -> None:
        """Remove the oldest segments while all together are over the limit; never the newest."""
        paths = [path for _, path in segments(self._folder)]
        sizes = [os.path.getsize(path) for path in paths]
        excess = sum(sizes) + self._segment_bytes - self._total_bytes
        for path, size in zip(paths[:-1], sizes, strict=False):
            if excess <= 0:
                return
            os.unlink(path)
            excess -= size

    def _recover(self) -> None:
        found = segments(self._folder)
        if not found:
            return
        first, path = found[-1]
        with open(path, "rb") as file:
            data = file.read()
        good = len(MAGIC) if data.startswith(MAGIC) else 0
        last = first - 1
        if good:
            for frame, end in scan(data, good):
                last, good = frame[0], end
        self.next_seq = last + 1
        if not good:
            os.unlink(path)
            return
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        os.ftruncate(self._fd, good)
        self._size = good
