"""Packs: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import io
from hashlib import sha256
from itertools import islice

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.contract.bundles import PART_SIZE, BundleError
from rig.wire.pack import CONTENT, DIRECTORY, MAGIC, WINDOW_LOG, PackObject, decode_pack, encode_pack


def whole(data: bytes, kind: int = CONTENT) -> PackObject:
    return PackObject(kind, sha256(data).digest(), len(data), 0, data)


def packed(*objects: PackObject) -> bytes:
    return b"".join(encode_pack(each.outgoing() for each in objects))


def unpacked(data: bytes, **limits: int) -> list[PackObject]:
    return list(decode_pack(io.BytesIO(data), **limits))


def zstd(inside: bytes, window_log: int = WINDOW_LOG) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=window_log)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(inside) + compressor.flush()


def record(kind: int, digest: bytes = bytes(32), size: int = 0, offset: int = 0, length: int = 0) -> bytes:
    return bytes([kind]) + digest + size.to_bytes(8, "big") + offset.to_bytes(8, "big") + length.to_bytes(4, "big")


objects = st.lists(st.builds(whole, st.binary(max_size=5000), st.sampled_from([CONTENT, DIRECTORY])), max_size=30)


@given(objects)
def test_a_pack_unpacks_to_what_was_packed(some: list[PackObject]) -> None:
    assert unpacked(packed(*some)) == some


@given(objects, st.data())
@settings(max_examples=200)
def test_a_pack_that_is_cut_short_never_passes(some: list[PackObject], data: st.DataObject) -> None:
    pack = packed(*some)
    cut = data.draw(st.integers(0, len(pack) - 5))
    with pytest.raises(BundleError):
        unpacked(pack[:cut])


@given(st.binary(max_size=500))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        unpacked(data)
    with pytest.raises(BundleError):
        unpacked(zstd(MAGIC + data))


def test_a_large_content_travels_in_parts() -> None:
    size = PART_SIZE + 10
    digest = sha256(bytes(size)).digest()
    parts = [
        PackObject(CONTENT, digest, size, 0, bytes(PART_SIZE)),
        PackObject(CONTENT, digest, size, PART_SIZE, bytes(10)),
    ]
    assert unpacked(packed(*parts)) == parts
    assert not parts[0].whole


def test_a_lying_digest_is_a_content_mismatch() -> None:
    with pytest.raises(BundleError) as caught:
        unpacked(packed(whole(b"honest"), PackObject(CONTENT, sha256(b"a").digest(), 1, 0, b"b")))
    assert caught.value.code == "content_mismatch"


@pytest.mark.parametrize(
    ("size", "offset", "length"),
    [
        (5, 0, 4),
        (5, 0, 6),
        (5, 5, 0),
        (5, PART_SIZE, 0),
        (PART_SIZE, PART_SIZE, 0),
        (2 * PART_SIZE, 1, PART_SIZE),
        (2 * PART_SIZE, 0, 10),
        (2 * PART_SIZE, 2 * PART_SIZE, 0),
    ],
)
def test_a_part_in_the_wrong_place_is_refused(size: int, offset: int, length: int) -> None:
    body = MAGIC + record(CONTENT, bytes(32), size, offset, length) + bytes(length) + record(3, size=1)
    with pytest.raises(BundleError, match="cannot have"):
        unpacked(zstd(body))


def test_the_count_at_the_end_has_to_be_right() -> None:
    with pytest.raises(BundleError, match="announces 2"):
        unpacked(zstd(MAGIC + record(CONTENT, sha256(b"").digest()) + record(3, size=2)))


def test_nothing_may_follow_the_end() -> None:
    with pytest.raises(BundleError, match="after its end"):
        unpacked(zstd(MAGIC + record(3) + b"more"))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(BundleError, match="unknown kind 9"):
        unpacked(zstd(MAGIC + record(9)))


def test_a_zip_bomb_ends_at_the_limit_and_not_in_memory() -> None:
    part = PackObject(CONTENT, bytes(32), 1 << 40, 0, bytes(PART_SIZE))
    bomb = packed(*[part._replace(offset=n * PART_SIZE) for n in range(64)])
    assert len(bomb) < 100_000
    arriving = decode_pack(io.BytesIO(bomb), max_bytes=8 * PART_SIZE)
    assert sum(len(item.data) for item in islice(arriving, 8)) == 8 * PART_SIZE
    with pytest.raises(BundleError) as caught:
        next(arriving)
    assert caught.value.code == "too_large"


def test_a_frame_that_asks_for_a_huge_window_is_refused() -> None:
    with pytest.raises(BundleError, match="decompressed"):
        unpacked(zstd(MAGIC + record(3), window_log=27))
