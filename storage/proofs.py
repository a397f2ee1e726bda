"""Proofs over a journal's tree: that a record is in it, and that a later tree goes on from an earlier one.

RFC 6962, sections 2.1.1 and 2.1.2. :class:`Tree` holds every perfect subtree's root, so any proof is a matter of
picking O(log n) of them. Checking a proof needs none of this; `storage.verify_export` does it with the standard library
alone.
"""

from __future__ import annotations

from storage.merkle import EMPTY_ROOT, HASH_SIZE, Frontier, node_hash


class Tree:
    """The roots of all perfect subtrees over the leaves ``base`` … ``size - 1``, and those that stand before ``base``.

    ``frontier`` is that of the first ``base`` leaves, which may have been archived; ``leaves`` are the hashes of the
    others, one after the other. A proof can be given for every leaf from ``base`` on.
    """

    def __init__(self, frontier: Frontier, leaves: bytes | bytearray) -> None:
        self.base = frontier.size
        self.size = self.base + len(leaves) // HASH_SIZE
        self._first: list[int] = []
        """For each level, the index of the first node that is held."""
        self._nodes: list[bytearray] = []
        before = list(frontier.roots)
        first, nodes, level = self.base, bytearray(leaves), 0
        while nodes or before:
            if self.base >> level & 1:
                # A subtree that ended where we begin: its parent is the first one that reaches over the border.
                nodes[:0] = before.pop()
                first -= 1
            self._first.append(first)
            self._nodes.append(nodes)
            first, nodes, level = first // 2, _parents(nodes), level + 1

    def root(self, size: int) -> bytes:
        """The root over the first ``size`` leaves."""
        return self._hash(0, size) if size else EMPTY_ROOT

    def frontier(self, size: int) -> Frontier:
        """The frontier of the first ``size`` leaves, from ``base`` on."""
        levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
        return Frontier(size, b"".join(self._node(level, (size >> level) - 1) for level in levels))

    def inclusion(self, pos: int, size: int) -> list[bytes]:
        """The audit path of leaf ``pos`` in the tree of ``size`` leaves, from the leaf's sibling up."""
        if not self.base <= pos < size <= self.size:
            raise ValueError(f"there is no proof for {pos} in a tree of {size} leaves, of which {self.base} are gone")
        path = []
        low, high = 0, size
        while high - low > 1:
            middle = low + _split(high - low)
            if pos < middle:
                path.append((middle, high))
                high = middle
            else:
                path.append((low, middle))
                low = middle
        return [self._hash(first, last) for first, last in reversed(path)]

    def consistency(self, old: int, size: int) -> list[bytes]:
        """The proof that the tree of ``size`` leaves begins with that of ``old`` leaves; empty where nothing is new."""
        if not self.base <= old <= size <= self.size:
            raise ValueError(f"there is no proof from {old} to {size} leaves, of which {self.base} are gone")
        proof = []
        low, high, whole = 0, size, True
        while old not in {low, high} and old:
            middle = low + _split(high - low)
            if old <= middle:
                proof.append((middle, high))
                high = middle
            else:
                proof.append((low, middle))
                low, whole = middle, False
        if not whole:
            proof.append((low, high))
        return [self._hash(first, last) for first, last in reversed(proof)]

    def _hash(self, low: int, high: int) -> bytes:
        """The root over the leaves ``low`` … ``high - 1``; ``low`` is where a subtree of that many leaves begins."""
        count = high - low
        if count & (count - 1) == 0:
            level = count.bit_length() - 1
            return self._node(level, low >> level)
        middle = low + _split(count)
        return node_hash(self._hash(low, middle), self._hash(middle, high))

    def _node(self, level: int, index: int) -> bytes:
        at = (index - self._first[level]) * HASH_SIZE
        return bytes(self._nodes[level][at : at + HASH_SIZE])


def _parents(nodes: bytearray) -> bytearray:
    """The nodes of the next level; a last one without a sibling has no parent yet."""
    pair = 2 * HASH_SIZE
    view = memoryview(nodes)
    ends = range(0, len(nodes) // pair * pair, pair)
    return bytearray().join([node_hash(bytes(view[at : at + 32]), bytes(view[at + 32 : at + pair])) for at in ends])


def _split(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << (count - 1).bit_length() - 1
