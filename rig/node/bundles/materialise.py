"""Writes a bundle out as files, such that not even a hostile one can reach beyond its folder.

Every directory is made here, and kept open; whatever is in it is made through that descriptor, never through a path,
and never over something that exists. A symlink can thus not be followed, whichever names a bundle has.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from rig.contract.bundles import DIRECTORY, EXECUTABLE, SYMLINK, Entry
from rig.kernel.errors import RigError
from rig.node.bundles.index import LOOSE, Place
from rig.node.bundles.store import Store, disk_error

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_COPY = 8 << 20


def materialise(store: Store, bundle: str, target: Path) -> None:
    """Write the files of ``bundle`` into ``target``, which must not exist; its parent must.

    Raises `RigError`: ``not_found`` (no such bundle), ``invalid_data`` (two names are one to this file system),
    ``unavailable`` (disk full); ``target`` is then gone again.
    """
    store.bundle(bundle)
    os.mkdir(target, 0o755)
    writer = _Writer(store)
    try:
        writer.directory(bytes.fromhex(bundle), os.open(target, _OPEN_FOLDER), b"")
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise disk_error(error) from error
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    finally:
        writer.close()


class _Writer:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._segments: dict[int, int] = {}
        """Descriptors of the segments by number; a tree comes from few of them, or from many, one after the other."""

    def close(self) -> None:
        for fd in self._segments.values():
            os.close(fd)
        self._segments.clear()

    def directory(self, digest: bytes, folder: int, path: bytes) -> None:
        """Fill ``folder``, and close it."""
        try:
            entries = self._store.directory(digest)
            places = self._store.index.places([entry.digest for entry in entries if entry.mode != DIRECTORY])
            for entry in entries:
                try:
                    self._entry(entry, places.get(entry.digest), folder, path)
                except FileExistsError as error:
                    raise _merged(path + entry.name) from error
        finally:
            os.close(folder)

    def _entry(self, entry: Entry, place: Place | None, folder: int, path: bytes) -> None:
        if entry.mode == DIRECTORY:
            os.mkdir(entry.name, 0o755, dir_fd=folder)
            below = os.open(entry.name, _OPEN_FOLDER, dir_fd=folder)
            self.directory(entry.digest, below, path + entry.name + b"/")
        elif entry.mode == SYMLINK:
            os.symlink(self._store.read(entry.digest), entry.name, dir_fd=folder)
        else:
            fd = os.open(entry.name, _NEW_FILE, 0o755 if entry.mode == EXECUTABLE else 0o644, dir_fd=folder)
            try:
                self._content_wherever(entry.digest, place or self._store.place(entry.digest), fd)
            finally:
                os.close(fd)

    def _content_wherever(self, digest: bytes, place: Place, fd: int) -> None:
        while True:
            try:
                return self._content(digest, place, fd)
            except FileNotFoundError as error:
                place = self._store.moved(digest, place, error)

    def _content(self, digest: bytes, place: Place, fd: int) -> None:
        if place.segment == LOOSE:
            with self._store.loose(digest).open("rb", buffering=0) as source:
                _copy(source.fileno(), fd, place.size)
        elif place.size:
            data = os.pread(self._segment(digest, place), place.size, place.offset)
            if len(data) != place.size:
                raise RigError("failed", f"The content {digest.hex()[:12]} cannot be read from the node's store.")
            _write(fd, data)

    def _segment(self, digest: bytes, place: Place) -> int:
        fd = self._segments.get(place.segment)
        if fd is None:
            if len(self._segments) >= 64:
                self.close()
            fd = os.open(self._store.file_of(digest, place), os.O_RDONLY | os.O_CLOEXEC)
            self._segments[place.segment] = fd
        return fd


def _copy(source: int, target: int, size: int) -> None:
    """Copy a file whole, by reference or within the kernel where the file system can."""
    left = size
    if hasattr(os, "copy_file_range"):
        # Not every file system can; what it has copied until then stays, and the loop below goes on from there.
        with contextlib.suppress(OSError):
            while left and (count := os.copy_file_range(source, target, min(left, _COPY))):
                left -= count
    while left and (data := os.read(source, 1 << 20)):
        _write(target, data)
        left -= len(data)
    if left:
        raise RigError("failed", "A content cannot be read from the node's store: it is cut short.")


def _write(fd: int, data: bytes) -> None:
    """Write all of it: a disk that is nearly full takes a part, and says so with the rest. Raises `OSError`."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _merged(path: bytes) -> RigError:
    name = path.decode("utf-8", "backslashreplace")
    return RigError(
        "invalid_data",
        f"`{name}` has the same name as another file in its folder, as the node's file system sees it.",
        "Rename one of them: they differ in case or in the form of an accent only.",
        path=name,
    )
