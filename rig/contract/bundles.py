"""Bundles: a source tree, named by its content, and the messages by which it travels to the node.

A bundle is a tree of directories. A directory is the canonical encoding of its entries, and its id is the SHA-256 of
that encoding; a bundle's id is the id of its root directory. Nothing else enters: no time, no owner, no machine. The
same tree has the same id everywhere, and an unchanged directory is one comparison.

Names are bytes, as the file system has them. Directories that hold nothing are left out, as git does it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from rig.contract.base import Reply
from rig.contract.names import Digest

FILE: Final = 1
EXECUTABLE: Final = 2
SYMLINK: Final = 3
DIRECTORY: Final = 4

HEADER: Final = b"rig directory 1\n"
_RECORD: Final = struct.Struct(">BQ32sH")
_UNSIZED: Final = struct.Struct(">B8x32sH")
"""The same without the size."""

PART_SIZE: Final = 1 << 20
"""Contents above this many bytes travel, and are resumed, in parts of this size."""

NAME_MAX: Final = 255
TARGET_MAX: Final = 4096
"""Longest target of a symlink, bytes."""
DIRECTORY_MAX: Final = 8 << 20
"""Longest encoding of one directory, bytes: some 100 000 entries."""
ASK_MAX: Final = 1 << 20
"""Longest body of an `Ask`, bytes."""
PACK_MAX: Final = 32 << 20
"""Most bytes that one pack may hold, as it travels and unpacked alike."""


class BundleError(ValueError):
    """Data that breaks the format. ``code`` is one of `rig.contract.errors.ERRORS`."""

    def __init__(self, message: str, code: str = "invalid_data") -> None:
        super().__init__(message)
        self.code = code


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one bundle may hold."""

    files: int = 200_000
    bytes: int = 2 << 30
    """Sum of the sizes of all files."""
    depth: int = 200
    """Directories below one another."""
    path: int = 4096
    """Bytes of the longest path, as PATH_MAX on Linux."""


class Entry(NamedTuple):
    """One name in a directory.

    ``size`` and ``digest`` are those of a file's content, of a symlink's target, or of a directory's encoding.
    """

    name: bytes
    mode: int
    size: int
    digest: bytes


def encode_directory(entries: Iterable[Entry]) -> bytes:
    """The canonical encoding: a header, then a record per entry in the order of the bytes of their names.

    A record is mode (1 byte), size (8), SHA-256 (32), length of the name (2, all big-endian), name.
    """
    parts = [HEADER]
    pack = _RECORD.pack
    for name, mode, size, digest in sorted(entries):
        parts.append(pack(mode, size, digest, len(name)))
        parts.append(name)
    return b"".join(parts)


def decode_directory(data: bytes) -> list[Entry]:
    """The entries of an encoded directory. Raises `BundleError` unless ``data`` is canonical to the byte."""
    if not data.startswith(HEADER):
        raise BundleError("a directory does not begin with its header")
    if len(data) > DIRECTORY_MAX:
        raise BundleError(f"a directory is encoded in {len(data)} bytes, and {DIRECTORY_MAX} is the limit", "too_large")
    entries: list[Entry] = []
    at, end, previous = len(HEADER), len(data), b""
    while at < end:
        if end - at < _RECORD.size:
            raise BundleError("a directory ends inside an entry")
        mode, size, digest, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        name = data[at : at + length]
        at += length
        if len(name) != length:
            raise BundleError("a directory ends inside a name")
        if name <= previous:
            raise BundleError(f"the names of a directory are out of order, or twice the same, at {name!r}")
        check_entry(name, mode, size)
        entries.append(Entry(name, mode, size, digest))
        previous = name
    return entries


def entries_of(encoding: bytes) -> Iterator[Entry]:
    """The entries of a directory that was encoded here: nothing is checked, in a third of the time."""
    at, end, unpack = len(HEADER), len(encoding), _RECORD.unpack_from
    while at < end:
        mode, size, digest, length = unpack(encoding, at)
        name_at = at + _RECORD.size
        at = name_at + length
        yield Entry(encoding[name_at:at], mode, size, digest)


def digests_of(encoding: bytes) -> Iterator[bytes]:
    """The digests of the files in a directory that was encoded here, in half the time that the entries take."""
    at, end, unpack = len(HEADER), len(encoding), _UNSIZED.unpack_from
    while at < end:
        mode, digest, length = unpack(encoding, at)
        at += _RECORD.size + length
        if mode != DIRECTORY:
            yield digest


def directories_of(encoding: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and id of the directories in one that was encoded here, in half the time that the entries take."""
    at, end, unpack = len(HEADER), len(encoding), _UNSIZED.unpack_from
    while at < end:
        mode, digest, length = unpack(encoding, at)
        name_at = at + _RECORD.size
        at = name_at + length
        if mode == DIRECTORY:
            yield encoding[name_at:at], digest


def check_entry(name: bytes, mode: int, size: int) -> None:
    """Raise `BundleError` for a name that could leave its directory, an unknown mode or an impossible size."""
    if name in {b"", b".", b".."} or b"/" in name or b"\0" in name or len(name) > NAME_MAX:
        raise BundleError(f"{name[:300]!r} cannot be a name in a bundle")
    if mode in {FILE, EXECUTABLE}:
        largest, smallest = (1 << 63) - 1, 0
    elif mode == SYMLINK:
        largest, smallest = TARGET_MAX, 1
    elif mode == DIRECTORY:
        largest, smallest = DIRECTORY_MAX, len(HEADER) + 1
    else:
        raise BundleError(f"the mode {mode} of {name!r} is unknown")
    if not smallest <= size <= largest:
        raise BundleError(f"{name!r} cannot have a size of {size} bytes")


def directory_id(encoding: bytes) -> bytes:
    """The SHA-256 of an encoded directory, 32 bytes."""
    return sha256(encoding).digest()


def symlink_climb(target: bytes) -> int:
    """How many directories a symlink goes up from its own before it goes down again.

    Raises `BundleError` for an absolute target, and for one with ``..`` after a name: where that leads depends on
    whether the name is a symlink itself, so it could leave the tree unseen. With every ``..`` in front and each
    symlink held to its own depth, none can leave, however they are chained.
    """
    if target.startswith(b"/") or b"\0" in target:
        raise BundleError("its target is absolute")
    climb, down = 0, False
    for part in target.split(b"/"):
        if part == b"..":
            if down:
                raise BundleError("its target goes up again after a name")
            climb += 1
        elif part not in {b"", b"."}:
            down = True
    return climb


class Bundle(Reply, frozen=True, kw_only=True):
    """A bundle that is whole on the node."""

    bundle: Digest
    files: int
    """Files and symlinks."""
    bytes: int
    """Sum of their sizes."""


class LargeContent(msgspec.Struct, frozen=True, array_like=True):
    """A content that travels in parts."""

    digest: Annotated[bytes, Meta(min_length=32, max_length=32)]
    size: Annotated[int, Meta(gt=PART_SIZE, le=(1 << 63) - 1)]

    @property
    def parts(self) -> int:
        return -(-self.size // PART_SIZE)


class Ask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What do you lack of these? Sent as MessagePack; ids are 32 bytes each, one after the other."""

    directories: Annotated[bytes, Meta(max_length=ASK_MAX)] = b""
    contents: Annotated[bytes, Meta(max_length=ASK_MAX)] = b""
    large: Annotated[list[LargeContent], Meta(max_length=4096)] = []


class Lacks(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to an `Ask`, as MessagePack. Numbers count from 0, in the order of the question."""

    directories: list[int] = []
    """The directories that are not there with all that is below them."""
    contents: list[int] = []
    large: list[list[int]] = []
    """For each large content the parts that have not arrived."""


class Commit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make a bundle of what was sent: JSON, answered by `Bundle`."""

    bundle: Digest


class Received(Reply, frozen=True, kw_only=True):
    """The answer to a pack."""

    objects: int
    bytes: int


MSGPACK: Final = "application/msgpack"
PACK: Final = "application/vnd.rig.pack+zstd"


def bundle_path(network: str, leaf: str = "") -> str:
    """The route of a network's bundles; ``leaf`` is ``/negotiate``, ``/packs`` or empty for the commit."""
    return f"/v1/networks/{network}/bundles{leaf}"
