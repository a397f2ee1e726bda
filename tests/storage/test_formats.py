"""The formats: canonical JSON, the tree, the signed note."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from storage import canonical, checkpoint
from storage.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash

text = st.text(st.characters(exclude_categories=["Cs"]))
integers = st.integers(-canonical.MAX_INT, canonical.MAX_INT)
values = st.recursive(
    st.none() | st.booleans() | integers | text,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5),
    max_leaves=30,
)


def is_canonical(data: bytes) -> bool:
    decoder = msgspec.json.Decoder(float_hook=canonical.refuse_float)
    try:
        return canonical.writes(decoder.decode(data), data)
    except ValueError:
        return False


@given(values)
def test_canonical_json_is_what_the_standard_library_writes(value: Any) -> None:
    expected = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    assert canonical.encode(value) == expected
    assert is_canonical(expected)
    assert json.loads(expected) == value


@given(values)
def test_any_other_way_to_write_it_is_not_canonical(value: Any) -> None:
    spaced = json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
    assert is_canonical(spaced) == (spaced == canonical.encode(value))


@pytest.mark.parametrize(
    "data", [b'{"b":1,"a":2}', b'{"a":1,"a":2}', b"1.0", b"1e3", b'"\\u0061"', b"[1] ", b"", b"-0"]
)
def test_not_canonical(data: bytes) -> None:
    assert not is_canonical(data)


@pytest.mark.parametrize(
    "value",
    [1.5, {"a": [0.0]}, float("nan"), 2**53, -(2**53), "\ud800", {"\udfff": 1}, {1: 2}, b"bytes", {"a": {1, 2}}],
    ids=repr,
)
def test_what_a_record_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical.encode(value)


def test_a_value_in_a_struct_is_checked_too() -> None:
    class Holder(msgspec.Struct):
        inner: Any

    with pytest.raises(ValueError, match=r"inner\.size is a float"):
        canonical.encode(Holder({"size": 1.5}))


def test_a_value_without_end_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="nested too deeply"):
        canonical.encode(value)


def rfc_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(rfc_root(leaves[:k]), rfc_root(leaves[k:]))


def root_of(leaves: list[bytes]) -> bytes:
    """The root that a frontier has after these leaves."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_frontier_has_the_root_of_the_rfc(data: list[bytes]) -> None:
    leaves = [leaf_hash(item) for item in data]
    assert root_of(leaves) == rfc_root(leaves)


@given(st.integers(0, 200), st.integers(0, 20))
def test_a_frontier_goes_on_where_it_was_left(before: int, after: int) -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(before + after)]
    first = Frontier()
    for leaf in leaves[:before]:
        first.append(leaf)
    second = Frontier(before, first.pack())
    for leaf in leaves[before:]:
        second.append(leaf)
    assert second.root() == root_of(leaves)


def test_known_roots() -> None:
    # The test vectors of the certificate-transparency reference implementation.
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [leaf_hash(bytes.fromhex(data)) for data in inputs]
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert root_of(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_a_frontier_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="does not belong"):
        Frontier(3, b"\x00" * 32)


KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


def note(size: int = 5, origin: str = "rig/client/1") -> str:
    return checkpoint.sign(KEY, PUBLIC, origin, size, leaf_hash(b"")).note


@given(st.integers(0, 10**18 - 1), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_reads_back(size: int, root: bytes) -> None:
    signed = checkpoint.sign(KEY, PUBLIC, "rig/client/1", size, root)
    assert checkpoint.parse(signed.note) == signed
    assert checkpoint.verify(signed.note, "rig/client/1", PUBLIC)


def test_a_published_note_verifies() -> None:
    # The example of the C2SP signed-note specification's Go forerunner, golang.org/x/mod/sumdb/note.
    verifier = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    name, public = checkpoint.parse_verifier_key(verifier)
    assert checkpoint.verifier_key(name, public) == verifier
    assert checkpoint.verify(text, name, public)
    assert not checkpoint.verify(text.replace("answer", "Answer"), name, public)


def test_signatures_of_others_are_ignored_and_a_bad_own_one_is_not_outvoted() -> None:
    good = note()
    witness = "— witness.example/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJs\n"
    assert checkpoint.verify(good + witness, "rig/client/1", PUBLIC)
    text, _, own = good.rpartition("\n\n")
    assert checkpoint.verify(f"{text}\n\n{witness}{own}", "rig/client/1", PUBLIC)
    bad = note(size=6).rpartition("\n\n")[2]
    assert not checkpoint.verify(f"{text}\n\n{bad}{own}", "rig/client/1", PUBLIC)


def test_a_note_of_another_key_or_name_does_not_verify() -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert not checkpoint.verify(note(), "rig/client/1", other)
    assert not checkpoint.verify(note(), "rig/client/2", PUBLIC)


@pytest.mark.parametrize(
    "change",
    [
        lambda good: good.replace("\n5\n", "\n05\n"),
        lambda good: good.replace("\n5\n", "\n-5\n"),
        lambda good: good.replace("\n5\n", "\n٥\n"),
        lambda good: good.replace("\n5\n", "\n5\nAA"),
        lambda good: good[:-1],
        lambda good: good.rpartition("\n\n")[0] + "\n",
        lambda good: "\n" + good.partition("\n")[2],
        lambda good: good + "x" * checkpoint.MAX_NOTE,
        lambda good: "",
    ],
)
def test_what_is_no_checkpoint_is_refused(change: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        checkpoint.parse(change(note()))


@given(st.text(max_size=300))
def test_reading_notes_never_fails_in_another_way(data: str) -> None:
    assert not checkpoint.verify(data, "rig/client/1", PUBLIC)
    try:
        checkpoint.parse(data)
    except ValueError:
        return


@pytest.mark.parametrize("verifier", ["", "a", "a+b", "a+00000000+AAAA", "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/"])
def test_a_damaged_verifier_key_is_refused(verifier: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        checkpoint.parse_verifier_key(verifier)
