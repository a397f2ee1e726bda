"""Divides the work of a check: records by range, the file, the projections. A short journal is checked right here."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import closing
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from storage import verify_tables
from storage.projections.base import Projection
from storage.verify_indexes import check_table, tables_of
from storage.verify_records import Found, Range, Reader, code_of

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

WORTH_PROCESSES = 50_000
"""Records from which on it pays to start processes."""
MAX_PROCESSES = 8
PART = 4096
"""Records that a process takes on at a time."""

Job = Callable[[], list[Found]]

_reader: Reader | None = None
"""Of a process of the pool."""


class Work:
    """A context manager: on leaving, all processes have ended. ``Work.ranges`` and ``Work.rest`` are used up once."""

    def __init__(self, path: str, timeout: float, projections: Sequence[Projection], first: int, end: int) -> None:
        self._path = path
        self._timeout = timeout
        self._pool: ProcessPoolExecutor | None = None
        self._beside: list[Future[list[Found]]] = []
        self._jobs: list[Job] = [partial(check_table, path, table, timeout) for table in tables_of(path, timeout)]
        self._jobs.append(partial(verify_tables.check_streams, path, first, timeout))
        self._jobs.append(partial(verify_tables.check_projections, path, projections, timeout))
        with closing(Reader(path, timeout)) as reader:
            self._parts = reader.pages(first, end, PART)
        processes = min(os.cpu_count() or 1, MAX_PROCESSES)
        if len(self._parts) * PART >= WORTH_PROCESSES and processes > 1:
            self._pool = _start(path, timeout, processes)

    def __enter__(self) -> Work:
        if self._pool is not None:
            # The longest one first.
            self._beside = [self._pool.submit(_found, job) for job in reversed(self._jobs)][::-1]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def ranges(self) -> Iterator[Range]:
        """The records, range by range, in order."""
        done = 0
        if self._pool is not None:
            try:
                for part in self._pool.map(_check_range, *zip(*self._parts, strict=True)):
                    yield part
                    done += 1
            except BrokenExecutor:
                pass  # that processes cannot be started says nothing about the journal: the rest is done here
        with closing(Reader(self._path, self._timeout)) as reader:
            for first, end in self._parts[done:]:
                yield reader.range(first, end)

    def rest(self) -> Iterator[Found]:
        """What was found beside the records."""
        for number, job in enumerate(self._jobs):
            try:
                yield from self._beside[number].result() if self._beside else job()
            except BrokenExecutor:
                yield from job()


def _start(path: str, timeout: float, processes: int) -> ProcessPoolExecutor:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Spawned, not forked: a forked process would share this one's open database, and its locks with it.
    return ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_open_reader, initargs=(path, timeout)
    )


def _open_reader(path: str, timeout: float) -> None:
    import gc

    global _reader  # noqa: PLW0603 - one for each process of the pool
    gc.disable()  # nothing here is a cycle, and there are millions of objects to look at
    _reader = Reader(path, timeout)


def _check_range(first: int, end: int) -> Range:
    assert _reader is not None
    try:
        return _reader.range(first, end)
    except sqlite3.Error as error:
        _require_reach(error)
        return Range(
            first, end, whole=False, findings=[("DAMAGED", f"records from {first} on: {error}", first, end - 1)]
        )


def _found(job: Job) -> list[Found]:
    """What a job finds in a process of its own."""
    try:
        return job()
    except sqlite3.Error as error:
        _require_reach(error)
        return [("DAMAGED", f"the file cannot be read: {error}", -1, -1)]


def _require_reach(error: sqlite3.Error) -> None:
    """Errors of SQLite lose their names on the way between processes, so that a file that is only locked would look
    damaged: raise `OSError` for one that says nothing about what is in the file."""
    if code_of(error) == "UNREADABLE":
        raise OSError(str(error)) from None
