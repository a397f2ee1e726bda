"""Brings a source tree to the node: asks what it lacks, sends that, has it checked.

What has arrived stays there, so an upload that was cut off goes on where it stopped: the next one asks again.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

import msgspec

from rig.clients.http import retry_after
from rig.clients.platform import problem_error, unreadable
from rig.clients.source.listing import Listing
from rig.clients.source.reading import READ_FLAGS, Gone, hash_file, read_link, stat_of
from rig.clients.source.tree import show
from rig.contract.bundles import (
    DIRECTORY,
    MSGPACK,
    PACK,
    PART_SIZE,
    SYMLINK,
    Ask,
    Bundle,
    Commit,
    Lacks,
    LargeContent,
    bundle_path,
    decode_directory,
)
from rig.kernel.errors import UNREADABLE, RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ports import Progress, Transport
from rig.wire import pack

THREADS = 2
"""Requests at a time: one is compressed while the other is on its way. Each costs some 7 MB of memory."""
PACK_BYTES = 4 << 20
"""Unpacked size at which a pack is full. Small enough that a lost connection costs little, large enough to compress."""
PACK_OBJECTS = 4000
DIRECTORIES_PER_ASK = 512
CONTENTS_PER_ASK = 16_384
LARGE_PER_ASK = 1024
LEVELS = (1, 3, 6)
"""Of zstd."""
ATTEMPTS = 6
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 10.0
LONGEST_RETRY = 60.0
"""Seconds after the first failure of a request in which it is tried again."""


class UploadResult(NamedTuple):
    """What `upload` did."""

    bundle: str
    files: int
    bytes: int
    """Size of the source."""
    sent: int
    """Bytes of the bodies that travelled to the node, repetitions included."""


class _Piece(NamedTuple):
    """Something to send: a directory, a content, or a part of one."""

    kind: int
    digest: bytes
    size: int
    offset: int
    length: int
    path: bytes
    """Of the file; empty for a directory."""
    symlink: bool = False


def upload(transport: Transport, network: str, listing: Listing, progress: Progress | None = None) -> UploadResult:
    """Make ``listing`` a bundle of ``network``, sending only what is missing there. Repeatable at any time.

    Raises `RigError`: whatever the platform answers; ``unreachable`` or ``unavailable`` after several attempts;
    ``conflict`` where a file has changed since it was listed.
    """
    return _Upload(transport, network, listing, progress).run()


class _Upload:
    def __init__(self, transport: Transport, network: str, listing: Listing, progress: Progress | None) -> None:
        self._transport = transport
        self._network = network
        self._listing = listing
        self._tree = listing.tree
        self._root = os.path.join(listing.root, b"")
        self._progress = progress
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._sent = 0
        self._done = 0
        self._total = 0
        self._answered = False
        """Whether the platform has answered at all. One that is restarted meanwhile is waited for."""
        self._nothing_there = False
        """Whether the node has nothing at all, so that there is nothing to ask."""
        self._level = 1

    def run(self) -> UploadResult:
        bundle = self._commit()
        if bundle is None:
            self._send(self._missing())
            bundle = self._commit()
        if bundle is None:  # what was there at the question has been collected since
            self._send(self._missing())
            bundle = self._commit()
        if bundle is None:
            raise RigError("failed", "The platform does not keep what was sent to it.", "Look at the node's log.")
        failpoint("upload.complete")
        return UploadResult(bundle.bundle, bundle.files, bundle.bytes, self._sent)

    # What is missing

    def _commit(self) -> Bundle | None:
        """The bundle, if the node has all of it."""
        body = msgspec.json.encode(Commit(bundle=self._tree.bundle))
        try:
            answer = self._post("", body, "application/json")
        except RigError as error:
            if error.code == "not_found" and "lacking" in error.details:
                self._nothing_there = error.details.get("empty") is True
                return None
            raise
        try:
            return msgspec.json.decode(answer, type=Bundle)
        except UNREADABLE as error:
            raise unreadable(f"The answer to an upload cannot be read: {error}.") from error

    def _missing(self) -> list[_Piece]:
        """What the node lacks: a directory that it has stands for all that is below it."""
        directories = dict(self._all_directories()) if self._nothing_there else self._missing_directories()
        pieces = [
            _Piece(pack.DIRECTORY, digest, len(self._tree.directories[digest]), 0, 0, b"") for digest in directories
        ]
        small, large = self._contents_of(directories)
        if self._nothing_there:
            return [*pieces, *small, *(part for piece in large for part in _parts(piece))]
        for start in range(0, len(small), CONTENTS_PER_ASK):
            batch = small[start : start + CONTENTS_PER_ASK]
            lacks = self._ask(Ask(contents=b"".join(piece.digest for piece in batch)))
            pieces += [batch[number] for number in lacks.contents]
        for start in range(0, len(large), LARGE_PER_ASK):
            batch = large[start : start + LARGE_PER_ASK]
            lacks = self._ask(Ask(large=[LargeContent(piece.digest, piece.size) for piece in batch]))
            for piece, numbers in zip(batch, lacks.large, strict=True):
                parts = _parts(piece)
                pieces += [parts[number] for number in numbers]
        return pieces

    def _contents_of(self, directories: dict[bytes, bytes]) -> tuple[list[_Piece], list[_Piece]]:
        """The contents that stand directly in these directories, each once: small ones, large ones."""
        small: list[_Piece] = []
        large: list[_Piece] = []
        seen: set[bytes] = set()
        for digest, path in directories.items():
            for name, mode, size, content in decode_directory(self._tree.directories[digest]):
                if mode != DIRECTORY and content not in seen:
                    seen.add(content)
                    group = large if size > PART_SIZE else small
                    group.append(_Piece(pack.CONTENT, content, size, 0, size, path + name, mode == SYMLINK))
        return small, large

    def _all_directories(self) -> Iterator[tuple[bytes, bytes]]:
        """Every directory of the tree, with a path of each."""
        waiting = [(self._tree.root, b"")]
        while waiting:
            digest, path = waiting.pop()
            yield digest, path
            for entry in decode_directory(self._tree.directories[digest]):
                if entry.mode == DIRECTORY:
                    waiting.append((entry.digest, path + entry.name + b"/"))

    def _missing_directories(self) -> dict[bytes, bytes]:
        """Directories that the node lacks, with a path of each: asked level by level, as many at once as are known."""
        missing: dict[bytes, bytes] = {}
        asked = {self._tree.root}
        waiting = [(self._tree.root, b"")]
        while waiting:
            batch, waiting = waiting[:DIRECTORIES_PER_ASK], waiting[DIRECTORIES_PER_ASK:]
            lacks = self._ask(Ask(directories=b"".join(digest for digest, _ in batch)))
            for number in lacks.directories:
                digest, path = batch[number]
                missing[digest] = path
                for entry in decode_directory(self._tree.directories[digest]):
                    if entry.mode == DIRECTORY and entry.digest not in asked:
                        asked.add(entry.digest)
                        waiting.append((entry.digest, path + entry.name + b"/"))
        return missing

    def _ask(self, ask: Ask) -> Lacks:
        answer = self._post("/negotiate", msgspec.msgpack.encode(ask), MSGPACK)
        failpoint("upload.asked")
        try:
            lacks = msgspec.msgpack.decode(answer, type=Lacks)
        except UNREADABLE as error:
            raise unreadable(f"The answer to an upload cannot be read: {error}.") from error
        if (
            any(n >= len(ask.directories) // 32 for n in lacks.directories)
            or any(n >= len(ask.contents) // 32 for n in lacks.contents)
            or len(lacks.large) != len(ask.large)
            or any(n >= of.parts for of, numbers in zip(ask.large, lacks.large, strict=True) for n in numbers)
        ):
            raise RigError("invalid_data", "The platform asks for what it was not offered.")
        return lacks

    # Sending

    def _send(self, pieces: list[_Piece]) -> None:
        """Send all pieces, in packs, by several threads."""
        packs = list(_packs(pieces))
        self._total = self._done + sum(piece.length for piece in pieces)
        queue = iter(packs)
        errors: list[BaseException] = []

        def work() -> None:
            while not self._stop.is_set():
                with self._lock:
                    batch = next(queue, None)
                if batch is None:
                    return
                try:
                    self._send_pack(batch)
                except BaseException as error:
                    errors.append(error)
                    self._stop.set()

        # Daemons: after Ctrl-C nobody waits for a request that is under way.
        threads = [threading.Thread(target=work, daemon=True) for _ in range(min(THREADS, len(packs)))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            self._stop.set()
        if errors:
            raise errors[0]
        self._stop.clear()

    def _send_pack(self, pieces: list[_Piece]) -> None:
        try:
            self._post("/packs", _Body(lambda: self._encoded(pieces)), PACK)
        except RigError as error:
            if error.code != "content_mismatch":
                raise
            changed = next((p.path for p in pieces if p.path and not self._as_listed(p)), pieces[-1].path)
            raise self._changed(changed) from error
        failpoint("upload.packed")
        with self._lock:
            self._done += sum(piece.length for piece in pieces)
            if self._progress:
                self._progress.advance(self._done, self._total)

    def _as_listed(self, piece: _Piece) -> bool:
        """Whether the whole file of a piece still holds what was listed."""
        path = self._root + piece.path
        if piece.symlink:
            return sha256(self._read(piece)).digest() == piece.digest
        return hash_file(path, stat_of(piece.path, os.lstat(path)))[1] == piece.digest

    def _encoded(self, pieces: list[_Piece]) -> Iterator[bytes]:
        """A pack, compressed the harder the slower the way to the node: sending is to take as long as compressing."""
        compressing = sending = 0.0
        level = self._level
        before = time.monotonic()
        for chunk in pack.encode_pack((self._object(piece) for piece in pieces), LEVELS[level]):
            made = time.monotonic()
            compressing += made - before
            with self._lock:
                self._sent += len(chunk)
            yield chunk
            failpoint("upload.sending")
            before = time.monotonic()
            sending += before - made
        if sending > compressing:
            self._level = min(level + 1, len(LEVELS) - 1)
        elif sending < compressing / 2:
            self._level = max(level - 1, 0)

    def _object(self, piece: _Piece) -> pack.PackObject:
        data = self._tree.directories[piece.digest] if piece.kind == pack.DIRECTORY else self._read(piece)
        return pack.PackObject(piece.kind, piece.digest, piece.size, piece.offset, data)

    def _read(self, piece: _Piece) -> bytes:
        """The data of one piece. That it is what was listed is for the node to verify."""
        path = self._root + piece.path
        try:
            if piece.symlink:
                data = read_link(path)
            else:
                fd = os.open(path, READ_FLAGS)
                try:
                    if piece.offset:
                        os.lseek(fd, piece.offset, os.SEEK_SET)
                    data = os.read(fd, piece.length)
                finally:
                    os.close(fd)
        except (OSError, Gone):
            data = b""
        if len(data) != piece.length:
            raise self._changed(piece.path)
        return data

    def _changed(self, path: bytes) -> RigError:
        self._listing.cache.forget()
        return RigError(
            "conflict",
            f"`{show(path)}` has changed while the source was sent.",
            "Deploy again once nothing writes to it.",
            path=show(path),
        )

    def _post(self, leaf: str, body: bytes | _Body, content_type: str) -> bytes:
        """Send one request, several times if the failure is a passing one. All of them may be repeated."""
        path = bundle_path(self._network, leaf)
        pause, deadline = FIRST_PAUSE, 0.0
        for attempt in range(1, ATTEMPTS + 1):
            wait = 0.0
            try:
                status, headers, answer = self._transport.request("POST", path, body, {"Content-Type": content_type})
                self._answered = True
                if status < 300:
                    if isinstance(body, bytes):
                        with self._lock:
                            self._sent += len(body)
                    return answer
                wait = retry_after(headers)
                error = problem_error(status, answer)
                if status == 401 and attempt == 1 and not isinstance(body, bytes):
                    # The token ended during a long upload. The transport renews it for what it can send again itself.
                    self._ask(Ask())
                    continue
            except RigError as problem:
                error = problem
            deadline = deadline or time.monotonic() + LONGEST_RETRY
            over = attempt == ATTEMPTS or time.monotonic() + wait > deadline
            nobody_there = not self._answered and isinstance(error.__cause__, ConnectionRefusedError)
            if not error.kind.retryable or over or nobody_there:
                # What has arrived counts for nothing before a release is made of it.
                error.unclear = False
                raise error
            # Spread out, so that clients which failed together do not come back together.
            if self._stop.wait(max(wait, pause * random.uniform(0.5, 1.5))):  # noqa: S311
                raise error
            pause = min(pause * 2, LONGEST_PAUSE)
        raise AssertionError("the loop ends by return or raise")


class _Body:
    """A body that is made anew for every attempt."""

    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[bytes]:
        return self._make()


def _parts(piece: _Piece) -> list[_Piece]:
    """A large content as its parts."""
    return [
        piece._replace(offset=offset, length=min(PART_SIZE, piece.size - offset))
        for offset in range(0, piece.size, PART_SIZE)
    ]


def _packs(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    """The pieces, in lots of about `PACK_BYTES`."""
    lot: list[_Piece] = []
    size = 0
    for piece in pieces:
        length = piece.size if piece.kind == pack.DIRECTORY else piece.length
        if lot and (size + length > PACK_BYTES or len(lot) == PACK_OBJECTS):
            yield lot
            lot, size = [], 0
        lot.append(piece)
        size += length
    if lot:
        yield lot
