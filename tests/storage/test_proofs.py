"""Proofs over the tree, against RFC 6962 word by word, and the standard-library code that checks them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash
from storage.proofs import Tree
from storage.verify_export import goes_on, root_by_inclusion

LEAVES = [leaf_hash(str(number).encode()) for number in range(70)]


def split(count: int) -> int:
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def mth(leaves: list[bytes]) -> bytes:
    """Section 2.1."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(mth(leaves[:k]), mth(leaves[k:]))


def path(pos: int, leaves: list[bytes]) -> list[bytes]:
    """Section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if pos < k:
        return [*path(pos, leaves[:k]), mth(leaves[k:])]
    return [*path(pos - k, leaves[k:]), mth(leaves[:k])]


def subproof(old: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """Section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if old <= k:
        return [*subproof(old, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(old - k, leaves[k:], False), mth(leaves[:k])]


def frontier(size: int) -> Frontier:
    grown = Frontier()
    for leaf in LEAVES[:size]:
        grown.append(leaf)
    return grown


def tree(base: int, size: int) -> Tree:
    return Tree(frontier(base), b"".join(LEAVES[base:size]))


@st.composite
def sizes(draw: st.DrawFn, count: int) -> list[int]:
    """Rising numbers of leaves: what was archived, and two or more moments after it."""
    return sorted(draw(st.lists(st.integers(0, 70), min_size=count, max_size=count)))


@given(sizes(3))
def test_every_proof_is_that_of_the_rfc_and_is_accepted(given: list[int]) -> None:
    base, old, size = given
    grown = tree(base, 70)
    assert grown.root(size) == mth(LEAVES[:size])
    assert grown.frontier(size).pack() == frontier(size).pack()
    for pos in range(base, size):
        proof = grown.inclusion(pos, size)
        assert proof == path(pos, LEAVES[:size])
        assert root_by_inclusion(LEAVES[pos], pos, size, proof) == grown.root(size)
    if old:
        proof = grown.consistency(old, size)
        assert proof == subproof(old, LEAVES[:size], True)
        assert goes_on(old, grown.root(old), size, grown.root(size), proof)


@given(sizes(2), st.data())
def test_no_proof_fits_anything_else(given: list[int], data: st.DataObject) -> None:
    old, size = given
    grown = tree(0, 70)
    other = leaf_hash(b"another")
    if size:
        pos = data.draw(st.integers(0, size - 1))
        proof = grown.inclusion(pos, size)
        assert root_by_inclusion(other, pos, size, proof) != grown.root(size)
        for wrong in ([*proof, other], proof[:-1] if proof else [other]):
            with pytest.raises(ValueError, match="path is too"):
                root_by_inclusion(LEAVES[pos], pos, size, wrong)
    if 0 < old < size:
        proof = grown.consistency(old, size)
        assert not goes_on(old, other, size, grown.root(size), proof)
        assert not goes_on(old, grown.root(old), size, other, proof)
        assert not goes_on(old, grown.root(old), size, grown.root(size), [*proof, other])
        assert not goes_on(old, grown.root(old), size, grown.root(size), proof[:-1])
        assert not goes_on(size, grown.root(size), old, grown.root(old), proof)


@pytest.mark.parametrize(("pos", "size"), [(3, 70), (20, 20), (20, 71), (-1, 30)])
def test_what_is_not_there_has_no_proof(pos: int, size: int) -> None:
    with pytest.raises(ValueError, match="there is no proof"):
        tree(10, 70).inclusion(pos, size)


@pytest.mark.parametrize(("old", "size"), [(3, 70), (20, 19), (20, 71)])
def test_what_is_not_there_is_not_gone_on_from(old: int, size: int) -> None:
    with pytest.raises(ValueError, match="there is no proof"):
        tree(10, 70).consistency(old, size)


def test_equal_trees_need_no_proof() -> None:
    roots = [mth(LEAVES[:size]) for size in (8, 9)]
    assert goes_on(8, roots[0], 8, roots[0], [])
    assert not goes_on(8, roots[0], 8, roots[1], [])
    assert not goes_on(8, roots[0], 8, roots[0], [roots[0]])
