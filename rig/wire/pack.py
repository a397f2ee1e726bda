"""Packs: how directories and contents travel, many in one request.

A pack is one zstd frame (RFC 8878). Inside it stand the magic bytes, then a record per object and its data, then an
end record that counts the objects, so that a pack which was cut off is never taken for a whole one:

    kind (1 byte) | SHA-256 (32) | size of the object (8) | offset (8) | length of the data that follows (4)

An object stands whole in its record, but for contents larger than `PART_SIZE`, of which a record holds one part.
The receiver holds one object in memory at a time, the sender a slice of one.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from rig.contract.bundles import DIRECTORY_MAX, PACK_MAX, PART_SIZE, BundleError

MAGIC: Final = b"rig pack 1\n"
DIRECTORY: Final = 1
CONTENT: Final = 2
END: Final = 3

OBJECTS_MAX: Final = 100_000
WINDOW_LOG: Final = 20
"""The largest window, 1 MiB: it bounds the memory that a hostile pack can make a node allocate."""

_WINDOW_LOG: Final = 19
_TABLES_LOG: Final = 17
"""What the sender uses: 512 KiB, and tables of so many entries in which it looks for matches. With as much as zstd
takes by itself a pack is at most 2 % smaller, and each request costs 4 MB more of memory."""

_RECORD: Final = struct.Struct(">B32sQQI")
_JOIN: Final = 128 << 10
_READ: Final = 128 << 10
_NO_DIGEST: Final = bytes(32)


class PackObject(NamedTuple):
    """A directory, a content, or a part of a content."""

    kind: int
    digest: bytes
    """Of the whole object."""
    size: int
    """Of the whole object."""
    offset: int
    data: bytes

    @property
    def whole(self) -> bool:
        return len(self.data) == self.size

    def outgoing(self) -> Outgoing:
        """The same on its way into a pack."""
        return Outgoing(self.kind, self.digest, self.size, self.offset, len(self.data), (self.data,))


class Outgoing(NamedTuple):
    """A `PackObject` of which only a slice has to be in memory."""

    kind: int
    digest: bytes
    size: int
    offset: int
    length: int
    """Of all slices together."""
    slices: Iterable[bytes]


class Readable(Protocol):
    """Anything with a blocking ``read``: a file, or `io.BytesIO`."""

    def read(self, size: int = ..., /) -> bytes: ...


def encode_pack(objects: Iterable[Outgoing], level: int = 3) -> Iterator[bytes]:
    """The bytes of a pack, piece by piece, made while ``objects`` is consumed."""
    import zstandard

    usual = zstandard.ZstdCompressionParameters.from_level(level)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level,
        window_log=_WINDOW_LOG,
        hash_log=min(usual.hash_log, _TABLES_LOG),
        chain_log=min(usual.chain_log, _TABLES_LOG),
    )
    compress = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    # Small objects are joined first: a call of the compressor for each would cost more than the compression.
    waiting: list[bytes] = [MAGIC]
    size_waiting = count = 0
    for kind, digest, size, offset, length, slices in objects:
        waiting.append(_RECORD.pack(kind, digest, size, offset, length))
        count += 1
        for data in slices:
            waiting.append(data)
            size_waiting += len(data) + _RECORD.size
            if size_waiting >= _JOIN:
                out = compress.compress(b"".join(waiting))
                waiting.clear()
                size_waiting = 0
                if out:
                    yield out
    waiting.append(_RECORD.pack(END, _NO_DIGEST, count, 0, 0))
    yield compress.compress(b"".join(waiting)) + compress.flush()


def decode_pack(source: Readable, max_bytes: int = PACK_MAX) -> Iterator[PackObject]:
    """The objects of a pack, one after the other; each is checked before it is handed out.

    The digest of whatever stands whole in the pack has been compared with its data; that of a content in parts can only
    be compared when all of them are there. Raises `BundleError`: ``content_mismatch`` for data that is not what its
    digest says, ``too_large`` beyond ``max_bytes`` (which is how a zip bomb ends), ``invalid_data`` for the rest.
    """
    import zstandard

    # The window is bounded too: by default a frame may ask for 128 MiB before its first byte comes out.
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << WINDOW_LOG)
    with decompressor.stream_reader(source, read_size=_READ, closefd=False) as frame:  # type: ignore[arg-type]
        stream = io.BufferedReader(frame, _READ)

        def take(length: int) -> bytes:
            try:
                data = stream.read(length)
            except zstandard.ZstdError as error:
                raise BundleError("a pack cannot be decompressed") from error
            if len(data) != length:
                raise BundleError("a pack ends too early")
            return data

        if take(len(MAGIC)) != MAGIC:
            raise BundleError("this is no pack: it does not begin as one")
        count = total = 0
        while True:
            kind, digest, size, offset, length = _RECORD.unpack(take(_RECORD.size))
            if kind == END:
                if (digest, size, offset, length) != (_NO_DIGEST, count, 0, 0):
                    raise BundleError(f"a pack of {count} objects announces {size}")
                if stream.read(1):
                    raise BundleError("a pack goes on after its end")
                return
            _check(kind, size, offset, length)
            count += 1
            total += length
            if total > max_bytes or count > OBJECTS_MAX:
                raise BundleError(f"a pack holds more than {max_bytes} bytes or {OBJECTS_MAX} objects", "too_large")
            data = take(length)
            if length == size and sha256(data).digest() != digest:
                raise BundleError(f"the content {digest.hex()} is not what its SHA-256 says", "content_mismatch")
            yield PackObject(kind, digest, size, offset, data)


def _check(kind: int, size: int, offset: int, length: int) -> None:
    if kind == DIRECTORY:
        fits = size <= DIRECTORY_MAX and offset == 0 and length == size
    elif kind == CONTENT:
        fits = offset % PART_SIZE == 0 and offset <= size and length == min(PART_SIZE, size - offset)
        fits = fits and (length > 0 or size == 0)
    else:
        raise BundleError(f"a pack holds an object of the unknown kind {kind}")
    if not fits:
        raise BundleError(f"an object of {size} bytes cannot have {length} of them at {offset} in a pack")
