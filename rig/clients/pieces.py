"""What a source is sent in: pieces, and lots of them, found one after the other so that few are in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from rig.clients.source.tree import Tree
from rig.contract.bundles import DIRECTORY, PART_SIZE, SYMLINK, Entry, digests_of, directories_of, entries_of
from rig.wire import pack

PACK_BYTES = 4 << 20
"""Unpacked size at which a pack is full. Small enough that a lost connection costs little, large enough to compress."""
PACK_OBJECTS = 1000
"""Likewise for small files; each costs 300 bytes of memory until its pack is sent."""


class Piece(NamedTuple):
    """Something to send: a directory, a content, or a part of one."""

    kind: int
    digest: bytes
    size: int
    offset: int
    length: int
    path: bytes
    """Of the file; empty for a directory."""
    symlink: bool = False


def all_directories(tree: Tree) -> Iterator[tuple[bytes, bytes]]:
    """Every directory of the tree, with a path of each."""
    waiting = [(tree.root, b"")]
    while waiting:
        digest, path = waiting.pop()
        yield digest, path
        for name, below in directories_of(tree.directories[digest]):
            waiting.append((below, path + name + b"/"))


def files_of(tree: Tree, directory: bytes) -> Iterator[Entry]:
    """The files that stand directly in a directory."""
    return (entry for entry in entries_of(tree.directories[directory]) if entry.mode != DIRECTORY)


def contents_of(tree: Tree, directories: Mapping[bytes, bytes], skip: Callable[[int], None]) -> Iterator[Piece]:
    """The contents that stand directly in these directories, each once; ``skip`` is told the size of a repeated one.

    The directories come with a path of each, which ends with a slash.
    """
    repeated = _maybe_repeated(tree, directories)
    seen: set[bytes] = set()
    for digest, path in directories.items():
        for name, mode, size, content in entries_of(tree.directories[digest]):
            if mode == DIRECTORY:
                continue
            if content in repeated:
                if content in seen:
                    skip(size)
                    continue
                seen.add(content)
            yield Piece(pack.CONTENT, content, size, 0, size, path + name, mode == SYMLINK)


def _maybe_repeated(tree: Tree, directories: Iterable[bytes]) -> set[bytes]:
    """All contents that stand there more than once, and few others.

    Each leaves a mark in one of many bytes, about seven for each; where one is, the same may have been before. A set
    of all their digests would take twenty times the memory.
    """
    room = sum(map(len, tree.directories.values())) // 8
    mask = (1 << max(16, room.bit_length())) - 1
    marks = bytearray(mask + 1)
    repeated = set()
    for directory in directories:
        for digest in digests_of(tree.directories[directory]):
            at = hash(digest) & mask
            if marks[at]:
                repeated.add(digest)
            marks[at] = 1
    return repeated


def parts_of(piece: Piece) -> list[Piece]:
    """A large content as its parts."""
    return [
        piece._replace(offset=offset, length=min(PART_SIZE, piece.size - offset))
        for offset in range(0, piece.size, PART_SIZE)
    ]


def packs_of(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """The pieces, in lots of about `PACK_BYTES`."""
    lot: list[Piece] = []
    size = 0
    for piece in pieces:
        length = piece.size if piece.kind == pack.DIRECTORY else piece.length
        if lot and (size + length > PACK_BYTES or len(lot) == PACK_OBJECTS):
            yield lot
            lot, size = [], 0
        lot.append(piece)
        size += length
    if lot:
        yield lot
