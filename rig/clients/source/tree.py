"""A source tree as its directories' encodings: what is compared with the node, and sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rig.contract.bundles import DIRECTORY, Entry, entries_of


class Tree(NamedTuple):
    """``directories`` holds the encoding of every directory by its id; the one of ``root`` is the bundle."""

    root: bytes
    directories: dict[bytes, bytes]

    @property
    def bundle(self) -> str:
        """The bundle's id, in hexadecimal."""
        return self.root.hex()

    def files(self) -> Iterator[tuple[bytes, Entry]]:
        """Every file and symlink with its path, in the order of the tree."""
        yield from self._below(self.root, b"")

    def _below(self, directory: bytes, prefix: bytes) -> Iterator[tuple[bytes, Entry]]:
        for entry in entries_of(self.directories[directory]):
            if entry.mode == DIRECTORY:
                yield from self._below(entry.digest, prefix + entry.name + b"/")
            else:
                yield prefix + entry.name, entry


def show(path: bytes) -> str:
    """A path as text for people; bytes that are not UTF-8 are escaped."""
    return path.decode("utf-8", "backslashreplace")
