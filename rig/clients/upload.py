"""Brings a source tree to the node: asks what it lacks, sends that, has it checked.

What has arrived stays there, so an upload that was cut off goes on where it stopped: the next one asks again.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

import msgspec

from rig.clients.http import retry_after
from rig.clients.pieces import Piece, all_directories, contents_of, files_of, packs_of, parts_of
from rig.clients.platform import problem_error, unreadable
from rig.clients.source.listing import Listing
from rig.clients.source.reading import READ_FLAGS, Gone, hash_file, read_link, stat_of
from rig.clients.source.tree import show
from rig.contract.bundles import (
    MSGPACK,
    PACK,
    PART_SIZE,
    Ask,
    Bundle,
    Commit,
    Lacks,
    LargeContent,
    bundle_path,
    directories_of,
)
from rig.kernel.errors import UNREADABLE, RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ports import Progress, Transport
from rig.wire import pack

THREADS = 2
"""Requests at a time: one is compressed while the other is on its way. Each costs some 4 MB of memory."""
SLICE = 128 << 10
"""Bytes of a file that are in memory at a time, for each request."""
DIRECTORIES_PER_ASK = 512
CONTENTS_PER_ASK = 4096
LARGE_PER_ASK = 128
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
        for _ in range(2):  # the second time for what was there at the question, and has been collected since
            if bundle is None:
                self._send()
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

    def _pieces(self, directories: dict[bytes, bytes]) -> Iterator[Piece]:
        """What the node lacks: these directories, and of what stands in them what it asks for.

        It is asked while the first is sent, so that of a source of any size a part is in memory.
        """
        for digest in directories:
            yield Piece(pack.DIRECTORY, digest, len(self._tree.directories[digest]), 0, 0, b"")
        contents = contents_of(self._tree, directories, self._advance)
        if self._nothing_there:
            for piece in contents:
                if piece.size <= PART_SIZE:
                    yield piece
                else:
                    yield from parts_of(piece)
            return
        while batch := list(islice(contents, CONTENTS_PER_ASK)):
            yield from self._lacking([piece for piece in batch if piece.size <= PART_SIZE])
            large = [piece for piece in batch if piece.size > PART_SIZE]
            for start in range(0, len(large), LARGE_PER_ASK):
                yield from self._lacking_parts(large[start : start + LARGE_PER_ASK])

    def _lacking(self, pieces: list[Piece]) -> Iterator[Piece]:
        """Those of these contents that the node lacks."""
        if pieces:
            lacks = self._ask(Ask(contents=b"".join(piece.digest for piece in pieces)))
            lacking = [pieces[number] for number in lacks.contents]
            self._advance(sum(piece.size for piece in pieces) - sum(piece.size for piece in lacking))
            yield from lacking

    def _lacking_parts(self, pieces: list[Piece]) -> Iterator[Piece]:
        """The parts that the node lacks of these contents."""
        lacks = self._ask(Ask(large=[LargeContent(piece.digest, piece.size) for piece in pieces]))
        for piece, numbers in zip(pieces, lacks.large, strict=True):
            parts = parts_of(piece)
            lacking = [parts[number] for number in numbers]
            self._advance(piece.size - sum(part.length for part in lacking))
            yield from lacking

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
                for name, below in directories_of(self._tree.directories[digest]):
                    if below not in asked:
                        asked.add(below)
                        waiting.append((below, path + name + b"/"))
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

    def _send(self) -> None:
        """Send all that the node lacks, in packs, by several threads."""
        if self._nothing_there:
            directories, self._total = dict(all_directories(self._tree)), self._listing.bytes
        else:
            directories = self._missing_directories()
            self._total = sum(file.size for one in directories for file in files_of(self._tree, one))
        self._done = 0
        packs, taking = packs_of(self._pieces(directories)), threading.Lock()
        errors: list[Exception] = []

        def work() -> None:
            try:
                while not self._stop.is_set():
                    with taking:
                        batch = next(packs, None)
                    if batch is None:
                        return
                    self._send_pack(batch)
            except Exception as error:
                errors.append(error)
                self._stop.set()

        # This thread is one of them: the memory that the listing has used serves it again. The others are daemons:
        # after Ctrl-C nobody waits for a request that is under way.
        others = [threading.Thread(target=work, daemon=True) for _ in range(THREADS - 1)]
        try:
            for thread in others:
                thread.start()
            work()
            for thread in others:
                thread.join()
        finally:
            self._stop.set()
        if errors:
            raise errors[0]
        self._stop.clear()

    def _send_pack(self, pieces: list[Piece]) -> None:
        try:
            self._post("/packs", _Body(lambda: self._encoded(pieces)), PACK)
        except RigError as error:
            if error.code != "content_mismatch":
                raise
            changed = next((p.path for p in pieces if p.path and not self._as_listed(p)), pieces[-1].path)
            raise self._changed(changed) from error
        failpoint("upload.packed")
        self._advance(sum(piece.length for piece in pieces))

    def _advance(self, size: int) -> None:
        """So many bytes more are on the node, whether they were sent or have been there."""
        with self._lock:
            self._done += size
            if self._progress and size:
                self._progress.advance(self._done, self._total)

    def _as_listed(self, piece: Piece) -> bool:
        """Whether the whole file of a piece still holds what was listed."""
        path = self._root + piece.path
        if piece.symlink:
            return sha256(self._read(piece)).digest() == piece.digest
        return hash_file(path, stat_of(piece.path, os.lstat(path)))[1] == piece.digest

    def _encoded(self, pieces: list[Piece]) -> Iterator[bytes]:
        """A pack, compressed the harder the slower the way to the node: sending is to take as long as compressing."""
        compressing = sending = 0.0
        level = self._level
        before = time.monotonic()
        for chunk in pack.encode_pack(map(self._outgoing, pieces), LEVELS[level]):
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

    def _outgoing(self, piece: Piece) -> pack.Outgoing:
        kind, digest, size, offset, length, _, _ = piece
        if kind == pack.DIRECTORY:
            return pack.Outgoing(kind, digest, size, 0, size, (self._tree.directories[digest],))
        slices = (self._read(piece),) if length <= SLICE else self._slices(piece)
        return pack.Outgoing(kind, digest, size, offset, length, slices)

    def _read(self, piece: Piece) -> bytes:
        """The data of a piece that is not large. That it is what was listed is for the node to verify."""
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

    def _slices(self, piece: Piece) -> Iterator[bytes]:
        """The data of a large piece."""
        for start in range(0, piece.length, SLICE):
            length = min(SLICE, piece.length - start)
            yield self._read(piece._replace(offset=piece.offset + start, length=length))

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
