"""Folds records into databases beside the journal, while others read and write it.

A long journal is divided: several processes fold a range of the records each. What belongs together across the ranges,
a command that was under way or a correlation that goes on, is told by the indexes of the journal, and folded again
when all the rows are in one place. Indexes are made there and then: to sort keys takes a quarter of the time, and only
who sorts beside the journal can do it in several processes, and without its lock.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from rig.kernel.failpoints import failpoint
from storage.database import connect
from storage.projections.base import Divisible, Projection
from storage.projections.folding import fold_range, make_indexes, make_tables

if TYPE_CHECKING:
    from concurrent.futures import Executor

WORTH_PROCESSES = 200_000
"""Records from which on it pays to start processes: to get one going takes as long as to fold thirty thousand."""
MAX_PROCESSES = 8
"""Of which each makes a database; SQLite attaches ten at most."""
SORTING = 65_536
"""KiB that a process may take to sort the keys of an index."""
MAX_AGAIN = 20_000
"""Records that may be folded again. Where there are more of them, dividing gains nothing."""

COMMANDS = "stream >= 'command:' AND stream < 'command;'"
CROSSING_CORRELATIONS = "SELECT corr FROM event INDEXED BY event_corr WHERE corr IS NOT NULL GROUP BY corr HAVING "
CROSSING_COMMANDS = f"SELECT stream FROM event INDEXED BY event_stream WHERE {COMMANDS} GROUP BY stream HAVING "  # noqa: S608 - constants
AMONG = "IN (SELECT value FROM json_each(?))"
OF_CORRELATIONS = f"SELECT pos, corr, stream FROM event INDEXED BY event_corr WHERE corr {AMONG}"  # noqa: S608 - constants
OF_COMMANDS = f"SELECT pos, corr, stream FROM event INDEXED BY event_stream WHERE stream {AMONG}"  # noqa: S608 - constants


class Beside(msgspec.Struct):
    """What was folded. Each file holds the tables of some projections."""

    files: list[tuple[str, list[Projection]]] = []
    """In the order of the positions."""
    again: list[int] = []
    """Positions of which the divisible ones have to fold the records again; see `storage.projections.base`."""


def fold_beside(
    connection: sqlite3.Connection, path: str, projections: Sequence[Projection], first: int, end: int
) -> Beside:
    """Fold the records from ``first`` to ``end - 1`` of the journal ``path``, which ``connection`` reads.

    Raises `sqlite3.Error`, or `RigError` for a record that cannot be read.
    """
    remove(path)
    divisible = [each for each in projections if isinstance(each, Divisible) and each.divisible]
    processes = processes_for(end - first)
    if divisible and processes > 1:
        bounds = [first + (end - first) * number // processes for number in range(processes + 1)]
        others = [each for each in projections if each not in divisible]
        made = _divided(connection, path, divisible, others, bounds)
        if made is not None:
            return made
        remove(path)
    whole = f"{path}.shadow"
    _fold_into(connection, whole, projections, first, end)
    return Beside([(whole, list(projections))])


def processes_for(records: int) -> int:
    """Into how many parts it pays to divide so many records."""
    return min(os.cpu_count() or 1, MAX_PROCESSES) if records >= WORTH_PROCESSES else 1


def remove(path: str) -> None:
    """Remove what a rebuild of the journal ``path`` has left beside it, finished or killed."""
    folder, name = os.path.split(path)
    for found in os.listdir(folder):
        if found.startswith(f"{name}.") and found.endswith((".shadow", ".shadow-journal")):
            os.unlink(os.path.join(folder, found))


def crossing(connection: sqlite3.Connection, bounds: Sequence[int]) -> list[int]:
    """Positions of the records that depend on one another across one of the bounds, in rising order."""
    crosses = " OR ".join(f"(min(pos) < {bound:d} AND max(pos) >= {bound:d})" for bound in bounds)
    correlations = {corr for (corr,) in connection.execute(CROSSING_CORRELATIONS + crosses)}
    streams = {stream for (stream,) in connection.execute(CROSSING_COMMANDS + crosses)}
    positions: set[int] = set()
    asked: set[str] = set()
    # A command that crosses may be of a correlation that does not, which has other commands in turn.
    while (correlations | streams) - asked and len(positions) <= MAX_AGAIN:
        found: list[tuple[int, str | None, str]] = []
        for sql, names in ((OF_CORRELATIONS, correlations), (OF_COMMANDS, streams)):
            found += connection.execute(sql, (msgspec.json.encode(sorted(names - asked)).decode(),)).fetchall()
        asked |= correlations | streams
        positions.update(pos for pos, _, _ in found)
        correlations |= {corr for _, corr, _ in found if corr}
        streams |= {stream for _, _, stream in found if stream.startswith("command:")}
    return sorted(positions)


def _divided(
    connection: sqlite3.Connection,
    path: str,
    divisible: Sequence[Projection],
    others: Sequence[Projection],
    bounds: Sequence[int],
) -> Beside | None:
    """Fold a range in each of several processes, and here meanwhile what is not divisible. None where it failed."""
    files = [(f"{path}.{number}.shadow", list(divisible)) for number in range(len(bounds) - 1)]
    whole = f"{path}.shadow"
    with start(len(files)) as pool:
        running = [
            pool.submit(fold_part, path, file, divisible, *span)
            for (file, _), span in zip(files, pairwise(bounds), strict=True)
        ]
        # It is seldom too much, and not worth that all wait until that is known.
        again = crossing(connection, bounds[1:-1])
        _fold_into(connection, whole, others, bounds[0], bounds[-1])
        failed = [each for each in running if each.exception() is not None]
    # What is wrong is found again, and told, by who folds all of it; that processes cannot be started is nothing wrong.
    return None if failed or len(again) > MAX_AGAIN else Beside([*files, (whole, list(others))], again)


def start(processes: int) -> Executor:
    """What runs the parts."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Spawned, not forked: a forked process would share this one's open database, and its locks with it.
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))


def fold_part(path: str, file: str, projections: Sequence[Projection], first: int, end: int) -> None:
    """Fold a range of the journal ``path`` into the database ``file``, in a process of its own."""
    source = connect(path, read_only=True)
    try:
        _fold_into(source, file, projections, first, end)
        failpoint("projection.part")
    finally:
        source.close()


def _fold_into(source: sqlite3.Connection, file: str, projections: Sequence[Projection], first: int, end: int) -> None:
    """Make a database that is gone when the machine fails, as the journal is all that counts."""
    target = connect(file)
    try:
        target.execute("PRAGMA synchronous=OFF")
        target.execute(f"PRAGMA cache_size={-SORTING:d}")
        target.execute("BEGIN")
        for projection in projections:
            make_tables(target, projection)
        fold_range(target, source, "event", projections, first, end)
        for projection in projections:
            make_indexes(target, projection)
        target.execute("COMMIT")
    finally:
        target.close()
