"""The encoding of directories: one encoding for a tree, and nothing else is accepted."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.contract.bundles import (
    DIRECTORY,
    DIRECTORY_MAX,
    EXECUTABLE,
    FILE,
    HEADER,
    SYMLINK,
    TARGET_MAX,
    BundleError,
    Entry,
    decode_directory,
    digests_of,
    directories_of,
    directory_id,
    encode_directory,
    entries_of,
    symlink_climb,
)

DIGEST = bytes(range(32))

names = st.binary(min_size=1, max_size=255).filter(
    lambda n: n not in {b".", b".."} and b"/" not in n and b"\0" not in n
)
entries = st.builds(
    Entry,
    name=names,
    mode=st.sampled_from([FILE, EXECUTABLE, SYMLINK, DIRECTORY]),
    size=st.integers(len(HEADER) + 1, TARGET_MAX),
    digest=st.binary(min_size=32, max_size=32),
)
directories = st.lists(entries, unique_by=lambda e: e.name, max_size=20)


@given(directories, st.randoms())
def test_a_directory_decodes_to_what_was_encoded_in_whatever_order(directory: list[Entry], random: object) -> None:
    shuffled = list(directory)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    encoding = encode_directory(shuffled)
    assert encoding == encode_directory(directory)
    assert decode_directory(encoding) == list(entries_of(encoding)) == sorted(directory)


@given(directories)
def test_a_part_of_what_is_in_a_directory_is_read_without_the_rest(directory: list[Entry]) -> None:
    encoding, inside = encode_directory(directory), sorted(directory)
    assert list(digests_of(encoding)) == [entry.digest for entry in inside if entry.mode != DIRECTORY]
    assert list(directories_of(encoding)) == [(e.name, e.digest) for e in inside if e.mode == DIRECTORY]


@given(st.binary(max_size=200))
def test_whatever_decodes_is_canonical(data: bytes) -> None:
    try:
        decoded = decode_directory(HEADER + data)
    except BundleError:
        return
    assert encode_directory(decoded) == HEADER + data


@given(directories.filter(bool), st.data())
def test_a_directory_that_is_cut_short_is_never_taken_for_the_whole(
    directory: list[Entry], data: st.DataObject
) -> None:
    encoding = encode_directory(directory)
    cut = data.draw(st.integers(0, len(encoding) - 1))
    decoded = None
    with suppress(BundleError):
        decoded = decode_directory(encoding[:cut])
    assert decoded is None or decoded == sorted(directory)[: len(decoded)] != sorted(directory)


def test_the_id_is_the_sha256_of_the_documented_bytes() -> None:
    encoding = encode_directory([Entry(b"b", EXECUTABLE, 3, DIGEST), Entry(b"a", FILE, 1, DIGEST)])
    by_hand = b"rig directory 1\n"
    by_hand += b"\x01" + (1).to_bytes(8, "big") + DIGEST + b"\x00\x01a"
    by_hand += b"\x02" + (3).to_bytes(8, "big") + DIGEST + b"\x00\x01b"
    assert encoding == by_hand
    assert directory_id(encoding) == hashlib.sha256(by_hand).digest()


def record(name: bytes, mode: int = FILE, size: int = 1) -> bytes:
    return bytes([mode]) + size.to_bytes(8, "big") + DIGEST + len(name).to_bytes(2, "big") + name


@pytest.mark.parametrize(
    "body",
    [
        record(b""),
        record(b"."),
        record(b".."),
        record(b"a/b"),
        record(b"a\0b"),
        record(b"x" * 256),
        record(b"b") + record(b"a"),
        record(b"a") + record(b"a"),
        record(b"a", mode=0),
        record(b"a", mode=5),
        record(b"a", size=1 << 63),
        record(b"link", mode=SYMLINK, size=0),
        record(b"link", mode=SYMLINK, size=TARGET_MAX + 1),
        record(b"empty", mode=DIRECTORY, size=len(HEADER)),
        record(b"huge", mode=DIRECTORY, size=DIRECTORY_MAX + 1),
        record(b"a")[:-1],
        record(b"a") + b"\x01",
    ],
)
def test_a_directory_that_breaks_a_rule_is_refused(body: bytes) -> None:
    with pytest.raises(BundleError):
        decode_directory(HEADER + body)


def test_a_directory_without_its_header_is_refused() -> None:
    with pytest.raises(BundleError, match="header"):
        decode_directory(record(b"a"))


def test_a_directory_beyond_the_limit_is_too_large() -> None:
    with pytest.raises(BundleError) as caught:
        decode_directory(HEADER + bytes(DIRECTORY_MAX))
    assert caught.value.code == "too_large"


@pytest.mark.parametrize(
    ("target", "climb"),
    [(b"a", 0), (b"./a//b/", 0), (b"..", 1), (b"../../a/b", 2), (b"./../a", 1), (b"...", 0), (b"a/.", 0)],
)
def test_how_far_a_symlink_climbs(target: bytes, climb: int) -> None:
    assert symlink_climb(target) == climb


@pytest.mark.parametrize("target", [b"/", b"/etc/passwd", b"a/..", b"../a/../..", b"a\0b"])
def test_a_symlink_that_could_lead_anywhere_is_refused(target: bytes) -> None:
    with pytest.raises(BundleError):
        symlink_climb(target)
