"""The store of one network. Networks never share one, so that none can learn what another has.

Small contents lie one after the other in *segments*, one file for each pack that arrived: a tree of 20 000 files is
received with a dozen files and flushes, where a file for each would cost more than the upload itself. A large content
is a file of its own, so that it can be copied by reference. Directories are rows of the index.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from rig.contract.bundles import (
    Ask,
    Bundle,
    Entry,
    Lacks,
    LargeContent,
    Limits,
    decode_directory,
)
from rig.kernel.disk import is_full
from rig.kernel.errors import RigError
from rig.node.bundles.index import LOOSE, Index, Place


class Store:
    """Contents, directories and bundles below ``root``, which is made (0700) if it is missing.

    Its methods block, and are safe to call from several threads. One process at a time may have it open.
    """

    def __init__(self, root: Path, limits: Limits | None = None, clock: Callable[[], float] = time.time) -> None:
        self.root = root
        self.limits = limits or Limits()
        self.assembling = threading.Lock()
        """Held while a large content gets its file, or loses it: file and row are not made in one step."""
        self.collecting = threading.Lock()
        """Held while garbage is looked for: there is one set of marks."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What a node that was killed had not finished.
        shutil.rmtree(self.temporary, ignore_errors=True)
        for folder in (self.temporary, self.segments, self.partial, self.contents):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.index = Index(root / "index.sqlite", clock)

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    @property
    def segments(self) -> Path:
        return self.root / "segments"

    @property
    def partial(self) -> Path:
        """Large contents of which not every part has arrived."""
        return self.root / "partial"

    @property
    def contents(self) -> Path:
        """Large contents, each in a file of its own."""
        return self.root / "contents"

    def close(self) -> None:
        self.index.close()

    def spool(self) -> IO[bytes]:
        """A nameless file for a pack on its way in."""
        return tempfile.TemporaryFile(dir=self.temporary)

    def lacks(self, ask: Ask) -> Lacks:
        """Which of the named things are missing; the others are not collected for a day.

        Raises `RigError` ``invalid_data`` for ids that are cut short.
        """
        directories, contents = _ids(ask.directories), _ids(ask.contents)
        whole, there = self.index.claim_directories(directories), self.index.claim_contents(contents)
        return Lacks(
            directories=[n for n, digest in enumerate(directories) if digest not in whole],
            contents=[n for n, digest in enumerate(contents) if digest not in there],
            large=[self._missing_parts(content) for content in ask.large],
        )

    def _missing_parts(self, content: LargeContent) -> list[int]:
        if self.index.claim_contents([content.digest]):
            return []
        if content.size > self.limits.bytes:
            raise RigError("too_large", f"A file of {content.size} bytes is over the limit of {self.limits.bytes}.")
        there = self.index.claim_parts(content.digest, content.size)
        return [number for number in range(content.parts) if number not in there]

    def bundle(self, bundle: str) -> Bundle:
        """A bundle that was committed. Raises `RigError` ``not_found``."""
        totals = self.index.totals(bytes.fromhex(bundle))
        if totals is None or totals.climb > 0:
            raise RigError("not_found", f"There is no bundle {bundle[:12]}.", "Deploy the source again.")
        return Bundle(bundle=bundle, files=totals.files, bytes=totals.bytes)

    def claim(self, bundle: str) -> Bundle:
        """A bundle that was committed, and stays for a day at least. Raises `RigError` ``not_found``."""
        self.index.claim_directories([bytes.fromhex(bundle)])
        return self.bundle(bundle)

    def directory(self, digest: bytes) -> list[Entry]:
        """The entries of a directory. Raises `RigError` ``not_found``."""
        body = self.index.body(digest)
        if body is None:
            raise RigError("not_found", f"There is no directory {digest.hex()[:12]}.")
        return decode_directory(body)

    def place(self, digest: bytes) -> Place:
        """Where a content stands. Raises `RigError` ``not_found``."""
        place = self.index.place(digest)
        if place is None:
            raise RigError("not_found", f"There is no content {digest.hex()[:12]}.")
        return place

    def file_of(self, digest: bytes, place: Place) -> Path:
        """The file that holds a content at ``place``."""
        return self.loose(digest) if place.segment == LOOSE else self.segment(place.segment)

    def segment(self, number: int) -> Path:
        return self.segments / f"{number:08d}"

    def loose(self, digest: bytes) -> Path:
        name = digest.hex()
        return self.contents / name[:2] / name

    def partial_file(self, digest: bytes, size: int) -> Path:
        """The file of a large content of which not every part has arrived."""
        return self.partial / f"{digest.hex()}.{size}"

    def read(self, digest: bytes) -> bytes:
        """A content, whole: for symlinks and other small ones."""
        place = self.place(digest)
        while True:
            try:
                with self.file_of(digest, place).open("rb") as file:
                    file.seek(place.offset)
                    return file.read(place.size)
            except FileNotFoundError as error:
                place = self.moved(digest, place, error)

    def moved(self, digest: bytes, place: Place, error: FileNotFoundError) -> Place:
        """Where a content stands now whose file was not found at ``place``: its segment was repacked meanwhile.

        Raises ``error`` where that is not so.
        """
        now = self.place(digest)
        if now == place:
            raise error
        return now


def _ids(joined: bytes) -> list[bytes]:
    if len(joined) % 32:
        raise RigError("invalid_data", f"{len(joined)} bytes are no list of SHA-256 ids.")
    return [joined[at : at + 32] for at in range(0, len(joined), 32)]


def disk_error(error: OSError) -> RigError:
    """What to answer when the disk refuses."""
    if is_full(error):
        return RigError("unavailable", "The node's disk is full.", "Free some space on the node, then try again.")
    return RigError("failed", f"The node's disk refuses: {os.strerror(error.errno or 0)}.")
