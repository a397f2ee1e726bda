"""What a git repository knows of its files, read without git: where it begins, and what its index tracks.

The index is read for one question only: is something that an ignore file excludes tracked all the same? Most sources
have no such file, so the raw bytes are searched for the name first, and parsed when that finds something.
"""

from __future__ import annotations

import bisect
import os
import struct

from rig.clients.source.tree import show
from rig.kernel.errors import RigError

_SEARCHES = 64
"""Names to look for in the raw index before it is cheaper to parse it."""


def git_folder(folder: bytes) -> bytes:
    """The git folder of the repository that begins at ``folder``; empty where none does."""
    dot_git = os.path.join(folder, b".git")
    if os.path.isfile(os.path.join(dot_git, b"HEAD")):
        return dot_git
    line = _read(dot_git, 4096 + 8)  # a worktree or a submodule: "gitdir: PATH"
    if not line.startswith(b"gitdir: "):
        return b""
    target = os.path.join(folder, line[8:].rstrip(b"\r\n"))
    return target if os.path.isfile(os.path.join(target, b"HEAD")) else b""


def _read(path: bytes, limit: int = -1) -> bytes:
    """A file of git's; empty where there is none. What is no file, such as a pipe that nobody writes to, is none."""
    try:
        if not os.path.isfile(path):
            return b""
        with open(path, "rb") as file:
            return file.read(limit)
    except OSError:
        return b""


def find_repository(folder: bytes) -> bytes:
    """The nearest folder from ``folder`` upwards at which a repository begins; empty where there is none."""
    while True:
        if git_folder(folder):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return b""
        folder = parent


class Repository:
    """The index of one repository, read when it is first asked for."""

    def __init__(self, folder: bytes, base: int) -> None:
        """``base`` is the length of the part of a path that lies outside of the repository."""
        self.base = base
        self._folder = folder
        self._index: bytes | None = None
        self._tracked: list[bytes] | None = None
        self._searches = 0

    def tracks(self, path: bytes) -> bool:
        """Whether ``path``, relative to the repository, or anything below it, is in the index."""
        if self._tracked is None and not self._maybe(path):
            return False
        if self._tracked is None:
            self._tracked = sorted(parse_index(self._raw(), self._folder))
        at = bisect.bisect_left(self._tracked, path)
        if at < len(self._tracked) and self._tracked[at] == path:
            return True
        below = path + b"/"
        at = bisect.bisect_left(self._tracked, below)
        return at < len(self._tracked) and self._tracked[at].startswith(below)

    def _maybe(self, path: bytes) -> bool:
        self._searches += 1
        raw = self._raw()
        # Version 4 shortens names against the one before, so that they cannot be found in it.
        return self._searches > _SEARCHES or raw[4:8] == b"\0\0\0\x04" or path in raw

    def _raw(self) -> bytes:
        if self._index is None:
            self._index = _read(os.path.join(git_folder(self._folder), b"index"))
        return self._index


def parse_index(raw: bytes, folder: bytes = b"") -> list[bytes]:
    """The paths in a git index, version 2 to 4 (gitformat-index(5)). ``folder`` is for the error only."""
    if not raw:
        return []
    signature, version, count = struct.unpack_from(">4sII", raw) if len(raw) >= 12 else (b"", 0, 0)
    if signature != b"DIRC" or version not in {2, 3, 4}:
        raise _unknown_index(folder)
    paths: list[bytes] = []
    at, previous = 12, b""
    hash_size = _hash_size(raw)
    try:
        for _ in range(count):
            flags_at = at + 40 + hash_size
            extended = raw[flags_at] & 0x40 and version >= 3
            name_at = flags_at + (4 if extended else 2)
            if version == 4:
                strip, name_at = _varint(raw, name_at)
                end = raw.index(b"\0", name_at)
                previous = previous[: len(previous) - strip] + raw[name_at:end]
                at = end + 1
            else:
                end = raw.index(b"\0", name_at)
                previous = raw[name_at:end]
                at += (end - at + 8) & ~7  # entries are padded with 1 to 8 NULs
            paths.append(previous)
    except (IndexError, ValueError) as error:
        raise _unknown_index(folder) from error
    if raw[at : at + 4] == b"link":  # a split index: the rest of it is in another file
        raise _unknown_index(folder)
    return paths


def _hash_size(raw: bytes) -> int:
    """Bytes of an object id: 20, or 32 in a repository with SHA-256. Nothing in the index says it but its checksum."""
    from hashlib import sha256

    return 32 if len(raw) > 32 and sha256(raw[:-32]).digest() == raw[-32:] else 20


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    byte = raw[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = raw[at]
        value = (value + 1) << 7 | (byte & 0x7F)
    return value, at + 1


def _unknown_index(folder: bytes) -> RigError:
    return RigError(
        "invalid_data",
        f"The git index of `{show(folder)}` cannot be read, so rig cannot tell which ignored files are tracked.",
        "`git update-index --no-split-index` writes it in its plain form.",
    )
