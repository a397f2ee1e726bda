"""What the files of a source held when they were last read, so that an unchanged one is not read again.

One file for each source folder. It is a convenience, never a truth: one that is damaged, or cannot be written, counts
as empty. A file is trusted to be unchanged if size, mode, mtime, ctime and inode are (git trusts the same). That holds
only for a file which was at rest when it was read: a change within the same tick of the file system's clock would leave
the times as they are. Such a file is kept without its times, and so is read again.

A cache says which folder it is of, so that whoever saves one can remove those of folders that are gone. The format:
magic, CRC-32 of what follows, length of the folder's path, the path, MessagePack of the records; numbers have four
bytes, big-endian.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterator
from hashlib import sha256
from itertools import chain

import msgspec

from rig.kernel.files import private_folder, write_atomic

_MAGIC = b"rig stat cache 3\n"
_ROOT = len(_MAGIC) + 4
"""Where the folder's path begins, with its length."""
_FINE_TICK = 100_000_000
"""Nanoseconds; the kernel's clock for files moves at least every 10 ms."""
_COARSE_TICK = 2_100_000_000
"""For file systems that keep whole seconds, or two of them (FAT)."""

Stat = tuple[bytes, int, int, int, int, int]
"""Name, ``st_mode``, size, mtime and ctime in nanoseconds, inode."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Stat]).decode
_MAP = b"\xdf"
"""Begins a MessagePack map; its length follows, four bytes."""


def encode_stats(stats: list[Stat]) -> bytes:
    """The stats of one directory, for `Record.stats`."""
    return _encode(stats)


def decode_stats(encoded: bytes) -> list[Stat]:
    """What `encode_stats` was given."""
    return _decode(encoded)


NO_STATS = encode_stats([])


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One directory as it was."""

    stats: bytes
    """MessagePack of the list of `Stat`, sorted by name: a whole directory is compared at once."""
    folders: bytes
    """MessagePack of the list of (name, id) of the directories in it."""
    id: bytes
    encoding: bytes
    suspects: list[bytes]
    """Names of files in it that look like secrets."""


def at_rest(stat: Stat, now: int) -> bool:
    """Whether a later change of the file is sure to show in its times; ``now`` was taken before it was read."""
    newest = max(stat[3], stat[4])
    tick = _FINE_TICK if stat[4] % 1_000_000_000 else _COARSE_TICK
    return newest + tick < now


def unsettled(stat: Stat) -> Stat:
    """The entry that is kept for a file which was not at rest: equal to no real one."""
    return (stat[0], stat[1], stat[2], -1, -1, 0)


class StatCache:
    """The records of one source folder by path; empty where there is no cache, or it is damaged."""

    def __init__(self, folder: str, root: bytes) -> None:
        self._folder = folder
        self._root = root
        self._file = os.path.join(folder, sha256(root).hexdigest()[:32] + ".stat") if folder else ""
        self.records: dict[bytes, Record] = self._load()

    def _load(self) -> dict[bytes, Record]:
        if not self._file:
            return {}
        try:
            with open(self._file, "rb") as file:
                data = file.read()
        except OSError:
            return {}
        rest = memoryview(data)[_ROOT:]
        if not data.startswith(_MAGIC) or zlib.crc32(rest).to_bytes(4, "big") != data[len(_MAGIC) : _ROOT]:
            return {}
        try:
            return msgspec.msgpack.decode(rest[4 + len(self._root) :], type=dict[bytes, Record])
        except msgspec.DecodeError:
            return {}

    def save(self, records: dict[bytes, Record]) -> None:
        """Replace the cache, in one step, and remove those of folders that are gone.

        A cache that cannot be written is not missed.
        """
        if not self._file:
            return
        checksum = 0
        for part in self._encoded(records):
            checksum = zlib.crc32(part, checksum)
        with contextlib.suppress(OSError):
            private_folder(self._folder)
            header = _MAGIC + checksum.to_bytes(4, "big")
            write_atomic(self._file, chain((header,), self._encoded(records)), durable=False)
            self._prune()

    def _encoded(self, records: dict[bytes, Record]) -> Iterator[bytes]:
        """The path and the records, one after the other: as a whole they would be in memory once more."""
        yield len(self._root).to_bytes(4, "big") + self._root
        yield _MAP + len(records).to_bytes(4, "big")
        for path, record in records.items():
            yield _encode(path) + _encode(record)

    def _prune(self) -> None:
        with os.scandir(self._folder) as entries:
            others = [entry.path for entry in entries if entry.name.endswith(".stat") and entry.path != self._file]
        for path in others:
            root = _root_of(path)
            if root is None or not os.path.isdir(root):
                os.unlink(path)

    def forget(self) -> None:
        """Remove the cache, so that everything is read again."""
        if self._file:
            with contextlib.suppress(OSError):
                os.unlink(self._file)


def _root_of(path: str) -> bytes | None:
    """Which folder a cache is of; None where it does not say so, as one of an older format."""
    with open(path, "rb") as file:
        if file.read(_ROOT)[: len(_MAGIC)] != _MAGIC:
            return None
        return file.read(int.from_bytes(file.read(4), "big"))
