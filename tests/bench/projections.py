"""What is made of the records, at a million of them: `python -m tests.bench.projections [RECORDS]`.

The floor is a bare `executemany` of the same rows into the same tables, in one transaction, without an index and
without a record being read. It is compared in processor time, in turn in one run; a rate is that of the wall. A rebuild
uses several processes where there are several processors.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from storage.database import connect
from storage.evidence import Evidence
from storage.journal import Journal
from storage.migrate import statements
from storage.projections import beside, runner
from storage.projections.base import Projection
from storage.projections.folding import is_index
from tests.bench.evidence import fill
from tests.bench.harness import HEADER, Figure, Work, compare, processor_seconds, seconds
from tests.storage.records import PROJECTIONS

RUNS = 3
BUDGET = "≥ 400 k/s"


def bare_inserts(folder: Path, rows: dict[str, list[tuple[Any, ...]]]) -> Work:
    """Puts rows into tables as the projections have them, without their indexes."""

    def work() -> None:
        path = folder / "bare.sqlite"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("BEGIN")
            for projection in PROJECTIONS:
                for statement in statements(projection.ddl):
                    if not is_index(statement):
                        connection.execute(statement)
            for table, values in rows.items():
                if values:
                    marks = ", ".join("?" * len(values[0]))
                    connection.executemany(f'INSERT INTO "{table}" VALUES ({marks})', values)
            connection.execute("COMMIT")

    return work


def rows_of(journal: Journal, projections: tuple[Projection, ...]) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(journal.path)) as connection:
        return {
            table: connection.execute(f'SELECT * FROM "{table}"').fetchall()
            for projection in projections
            for table in projection.tables
        }


def rebuilding(journal: Journal, processes: int) -> Work:
    """Makes all tables anew, in so many processes."""

    def work() -> None:
        choose, beside.processes_for = beside.processes_for, lambda records: processes
        try:
            with closing(connect(journal.path)) as connection:
                runner.rebuild(connection, journal.path, PROJECTIONS)
        finally:
            beside.processes_for = choose

    return work


def figures(folder: Path, count: int) -> Iterator[Figure]:
    """Rebuild, against the floor; then what is done with the tables."""
    home = folder / "long"
    fill(home, count)
    file = home / "journal.sqlite"
    bare = file.stat().st_size
    with Journal.open(file, origin="bench", projections=PROJECTIONS, timeout=60.0) as journal:
        yield Figure(what="journal without projections: bytes for each record", ours=bare / count, unit="bytes")
        size = file.stat().st_size
        yield Figure(what="all projections: bytes for each record", ours=(size - bare) / count, unit="bytes")
        floor = bare_inserts(folder, rows_of(journal, PROJECTIONS))
        for processes in sorted({1, beside.processes_for(beside.WORTH_PROCESSES)}):
            ours, used = rebuilding(journal, processes), "1 process" if processes == 1 else f"{processes} processes"
            yield compare(
                f"rebuild of all projections, {used}, processor time",
                ours,
                floor,
                peer_name="bare INSERT of the same rows",
                budget="–",
                runs=RUNS,
                measure=processor_seconds,
            )
            yield rate(f"rebuild of all projections, {used}, best of {RUNS}", count, ours, BUDGET)
        yield from replayed(folder, journal, count)


def replayed(folder: Path, journal: Journal, count: int) -> Iterator[Figure]:
    evidence, export = Evidence(lambda: journal), str(folder / "export.jsonl")

    def write() -> None:
        with open(export, "w", encoding="utf-8") as out:
            evidence.export(out.write, at=0)

    yield rate(f"export, best of {RUNS}", count, write)
    key = journal.info().verifier
    yield rate(f"verify an export, best of {RUNS}", count, lambda: evidence.verify_export(export, key, ""))
    fold = lambda: evidence.replay(export, key, "", until_pos=None, until=None, names=())  # noqa: E731
    yield rate(f"replay: verify, fold, digest, best of {RUNS}", count, fold)


def rate(what: str, count: int, work: Callable[[], object], budget: str = "–") -> Figure:
    best = min(seconds(work) for _ in range(RUNS))
    return Figure(what=f"{what}, {count:,} records", ours=count / best, budget=budget, unit="rate")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} processors\n")
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory(prefix="rig-bench-") as name:
        for figure in figures(Path(name), count):
            print(figure.row(), flush=True)


if __name__ == "__main__":
    main()
