"""The Merkle tree of RFC 6962, section 2.1 (unchanged in RFC 9162), kept as its *frontier*.

The frontier of a tree of ``size`` leaves holds the roots of the perfect subtrees that it is made of, the largest first:
one 32-byte hash for every bit that is set in ``size``. It is all that an append and the root need, so both cost
O(log n), and it is stored as those hashes, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """``SHA-256(0x00 ‖ data)``."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """``SHA-256(0x01 ‖ left ‖ right)``."""
    return sha256(b"\x01" + left + right).digest()


def subtree(leaves: Sequence[bytes]) -> bytes:
    """The root over leaves whose number is a power of two. Level by level, which is faster than leaf by leaf."""
    while len(leaves) > 1:
        leaves = [
            sha256(b"\x01" + left + right).digest() for left, right in zip(leaves[::2], leaves[1::2], strict=True)
        ]
    return leaves[0]


class Frontier:
    """A tree that can only grow: its size and the roots of its perfect subtrees."""

    __slots__ = ("_roots", "size")

    def __init__(self, size: int = 0, packed: bytes = b"") -> None:
        """Take up a tree where it was left; ``packed`` is what :meth:`pack` gave. Raises `ValueError`."""
        if size < 0 or len(packed) != HASH_SIZE * size.bit_count():
            raise ValueError(f"a frontier of {len(packed)} bytes does not belong to a tree of {size} leaves")
        self.size = size
        self._roots = [packed[i : i + HASH_SIZE] for i in range(0, len(packed), HASH_SIZE)]

    def append(self, leaf: bytes, size: int = 1) -> None:
        """Add one leaf hash on the right, or the root of a perfect subtree of ``size`` leaves where one begins."""
        roots = self._roots
        carry = self.size // size
        while carry & 1:
            leaf = node_hash(roots.pop(), leaf)
            carry >>= 1
        roots.append(leaf)
        self.size += size

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._roots:
            return EMPTY_ROOT
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node_hash(left, root)
        return root

    @property
    def roots(self) -> tuple[bytes, ...]:
        """The roots of its perfect subtrees, the largest first."""
        return tuple(self._roots)

    def pack(self) -> bytes:
        """The hashes, the largest subtree first."""
        return b"".join(self._roots)
