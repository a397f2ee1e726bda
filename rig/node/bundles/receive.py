"""Takes in packs: everything is checked as it arrives, and is on the disk before it counts."""

from __future__ import annotations

import errno
import os
import tempfile
from hashlib import sha256
from pathlib import Path

from rig.contract.bundles import PART_SIZE, BundleError, LargeContent, Received, decode_directory
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.files import sync_folder
from rig.node.bundles.index import LOOSE
from rig.node.bundles.store import Store, disk_error
from rig.wire.pack import DIRECTORY, PackObject, Readable, decode_pack


def receive(store: Store, source: Readable) -> Received:
    """Take in one pack; all of it is on the disk when this returns. Raises `RigError`, and then keeps nothing."""
    try:
        return _receive(store, source)
    except BundleError as error:
        raise RigError(error.code, f"The pack is refused: {error}.") from error
    except OSError as error:
        raise disk_error(error) from error


def _receive(store: Store, source: Readable) -> Received:
    pack = _Arrival(store)
    try:
        for item in decode_pack(source):
            pack.add(item)
        pack.keep()
    finally:
        pack.clean()
    return Received(objects=pack.objects, bytes=pack.bytes)


class _Arrival:
    """One pack on its way into the store."""

    def __init__(self, store: Store) -> None:
        self.objects = 0
        self.bytes = 0
        self._store = store
        self._contents: list[tuple[bytes, int, int]] = []
        self._directories: list[tuple[bytes, bytes]] = []
        self._parts: list[tuple[bytes, int, int]] = []
        self._partial: dict[LargeContent, int] = {}
        """Open files of the contents of which parts are in this pack."""
        fd, name = tempfile.mkstemp(dir=store.temporary)
        self._temporary = Path(name)
        self._file = os.fdopen(fd, "wb", buffering=1 << 20)

    def add(self, item: PackObject) -> None:
        self.objects += 1
        self.bytes += len(item.data)
        if item.kind == DIRECTORY:
            decode_directory(item.data)
            self._directories.append((item.digest, item.data))
        elif item.whole:
            self._contents.append((item.digest, self._file.tell(), item.size))
            self._file.write(item.data)
        else:
            self._add_part(item)

    def _add_part(self, item: PackObject) -> None:
        if item.size > self._store.limits.bytes:
            raise BundleError(f"a file of {item.size} bytes is over {self._store.limits.bytes}", "too_large")
        content = LargeContent(item.digest, item.size)
        if self._store.index.claim_contents([item.digest]):
            return
        if content not in self._partial:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._partial[content] = os.open(self._store.partial_file(content.digest, content.size), flags, 0o600)
        written = os.pwrite(self._partial[content], item.data, item.offset)
        if written != len(item.data):
            raise OSError(errno.ENOSPC, "short write")
        self._parts.append((item.digest, item.size, item.offset // PART_SIZE))

    def keep(self) -> None:
        """Flush the data, then tell the index, then put together the contents whose last part this pack brought."""
        size = self._file.tell()
        self._file.flush()
        if size:
            os.fsync(self._file.fileno())
        for fd in self._partial.values():
            os.fsync(fd)
        failpoint("bundle.flushed")
        index = self._store.index
        with index.change():
            if any(os.fstat(fd).st_nlink == 0 for fd in self._partial.values()):
                # What had arrived of it was given up, days ago, in the moment in which this pack came.
                raise RigError("unavailable", "The parts of a large file were collected.", "Send them again.")
            if self._contents:
                segment = index.add_segment(size)
                if index.add_contents(segment, self._contents):
                    self._temporary.rename(self._store.segment(segment))
                    sync_folder(self._store.segments)
                    failpoint("bundle.placed")
                else:  # all of it was there: this is a pack that was sent again
                    index.drop_segment(segment)
            index.add_directories(self._directories)
            index.add_parts(self._parts)
        failpoint("bundle.indexed")
        for content, fd in self._partial.items():
            # Two requests may bring the last parts of one content at the same moment.
            with self._store.assembling:
                _assemble(self._store, content, fd)

    def clean(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)
        for content, fd in self._partial.items():
            os.close(fd)
            if not self._store.index.parts(content.digest, content.size):
                self._store.partial_file(content.digest, content.size).unlink(missing_ok=True)


def _assemble(store: Store, content: LargeContent, fd: int) -> None:
    """Make a content of its parts, if all are there. Raises `BundleError` if it is not what its digest says."""
    index = store.index
    if index.place(content.digest) or len(index.parts(content.digest, content.size)) < content.parts:
        return
    digest, at = sha256(), 0
    while data := os.pread(fd, PART_SIZE, at):
        digest.update(data)
        at += len(data)
    if digest.digest() != content.digest or at != content.size:
        with index.change():
            index.drop_parts(content.digest, content.size)
        raise BundleError(f"the content {content.digest.hex()} is not what its SHA-256 says", "content_mismatch")
    final = store.loose(content.digest)
    final.parent.mkdir(mode=0o700, exist_ok=True)
    store.partial_file(content.digest, content.size).rename(final)
    sync_folder(final.parent)
    sync_folder(store.contents)
    failpoint("bundle.assembled")
    with index.change():
        index.add_contents(LOOSE, [(content.digest, 0, content.size)])
        index.drop_parts(content.digest, content.size)
