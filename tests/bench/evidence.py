"""The journal as evidence, at a million records: `python -m tests.bench.evidence [RECORDS]`.

The peers are what SQLite itself takes, and the SQLite recorder of the `eventsourcing` library, in its default of WAL.
That library is no dependency of rig: its rows are left out unless it can be imported (`pip install --target FOLDER
eventsourcing`, and PYTHONPATH=FOLDER).
A rate counts records by the wall, in this process and those that it starts.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from events.command import CommandCompleted, CommandReceived
from rig.kernel.ids import uuid7
from rig.kernel.ports import Draft, Stamp
from storage.evidence import Evidence
from storage.journal import Journal
from storage.projections.audit import AuditProjection
from storage.projections.configuration import ConfigurationProjection
from storage.projections.releases import ReleasesProjection
from tests.bench.harness import HEADER, Figure, Work, command, compare, seconds

ROOT = Path(__file__).parents[2]
APPENDS = 100
WRITERS = 8
AT_ONCE = 5_000
"""Records in one transaction while the million is made."""
PROJECTIONS = (AuditProjection(), ReleasesProjection(), ConfigurationProjection())
ONE = """
import sys, rig
from tests.bench.evidence import append_some, open_journal
from pathlib import Path
with open_journal(Path(sys.argv[1])) as journal:
    append_some(journal, int(sys.argv[2]))
"""
BARE = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
db.execute("PRAGMA journal_mode=TRUNCATE")
db.execute("PRAGMA synchronous=FULL")
for _ in range(int(sys.argv[2])):
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO event(rec) VALUES (?)", ("x" * 650,))
    db.execute("COMMIT")
"""
EVENTSOURCING = """
import sys, uuid
from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore
recorder = SQLiteApplicationRecorder(SQLiteDatastore(sys.argv[1]))
recorder.create_table()
for _ in range(int(sys.argv[2])):
    event = StoredEvent(originator_id=uuid.uuid4(), originator_version=1, topic="rig:Event", state=b"x" * 650)
    recorder.insert_events([event])
"""


def open_journal(folder: Path, *, plain: bool = False) -> Journal:
    projections = () if plain else PROJECTIONS
    return Journal.open(folder / "journal.sqlite", origin="bench", projections=projections, timeout=60.0)


def drafts(number: int) -> list[Draft]:
    """A command and its end."""
    stream, app = f"command:{uuid7()}", f"demo/app{number % 50}"
    begun = CommandReceived(command="deploy", arguments={"app": app, "message": "A change"}, client="rig/0.1.0")
    ended = CommandCompleted(command="deploy", client="rig/0.1.0", context="local")
    return [
        Draft(stream=stream, fact=begun, target=app, outcome="unknown"),
        Draft(stream=stream, fact=ended, target=app),
    ]


def append_some(journal: Journal, count: int) -> None:
    for number in range(count):
        journal.append(drafts(number)[:1], Stamp(id=uuid7(), actor="user:bench", at=time.time_ns()))


def fill(folder: Path, count: int) -> None:
    with open_journal(folder, plain=True) as journal:
        for first in range(0, count, AT_ONCE):
            batch = [draft for number in range(first, min(first + AT_ONCE, count), 2) for draft in drafts(number)]
            identity = uuid7()
            journal.append(batch, Stamp(id=identity, actor=f"user:u{first % 7}", at=time.time_ns(), corr=identity))


def has_eventsourcing() -> bool:
    with suppress(ImportError):
        import eventsourcing.sqlite  # type: ignore[import-not-found]  # noqa: F401

        return True
    return False


def peers(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Name, program and file of each recorder to compare with."""
    bare = str(folder / "bare.sqlite")
    with closing(sqlite3.connect(bare)) as connection:
        connection.execute("CREATE TABLE event(pos INTEGER PRIMARY KEY, rec TEXT NOT NULL)")
    yield "bare INSERT, FULL", BARE, bare
    if has_eventsourcing():
        yield "eventsourcing", EVENTSOURCING, str(folder / "eventsourcing.sqlite")


def run(script: str, path: str, count: int) -> Work:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return command([sys.executable, "-c", script, path, str(count)], env=environ)


def together(script: str, path: str, count: int) -> Work:
    """Several processes at once."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    argv = [sys.executable, "-c", script, path, str(count)]

    def work() -> None:
        writers = [subprocess.Popen(argv, env=environ, stderr=subprocess.DEVNULL) for _ in range(WRITERS)]
        failed = [writer.wait() for writer in writers]
        if any(failed):
            raise RuntimeError(f"{sum(map(bool, failed))} of {WRITERS} writers failed")

    return work


def append_figures(folder: Path) -> Iterator[Figure]:
    """One append from a fresh process; a hundred in a loop; eight writers at once."""
    home = str(folder / "appends")
    for name, script, path in peers(folder):
        for what, ours, theirs in (
            ("fresh process, one append", run(ONE, home, 1), run(script, path, 1)),
            (f"fresh process, {APPENDS} appends", run(ONE, home, APPENDS), run(script, path, APPENDS)),
            (f"{WRITERS} writers, 40 appends each", together(ONE, home, 40), together(script, path, 40)),
        ):
            try:
                yield compare(f"journal: {what}", ours, theirs, peer_name=name, budget="–", runs=5)
            except (RuntimeError, subprocess.CalledProcessError):
                yield Figure(what=f"journal: {what}", ours=seconds(ours), peer_name=f"{name} fails", budget="–")


def rate(what: str, count: int, work: Callable[[], object], budget: str = "–") -> Figure:
    return Figure(what=f"{what}, {count:,} records", ours=count / seconds(work), budget=budget, unit="rate")


def evidence_figures(folder: Path, count: int) -> Iterator[Figure]:
    """What is done with a long journal."""
    home, export = folder / "long", str(folder / "export.jsonl")
    yield rate("journal: made in large transactions", count, lambda: fill(home, count))
    size = (home / "journal.sqlite").stat().st_size / count
    yield Figure(what="journal: bytes for each record, indexes included", ours=size, unit="bytes")
    with open_journal(home, plain=True) as journal:
        yield rate("verify: records, chain, tree, signatures, file", count, journal.verify, "≥ 200 k/s")
    with open_journal(home) as journal:
        evidence = Evidence(lambda: journal)
        yield rate("rebuild: three projections with their indexes", count, lambda: journal.rebuild(PROJECTIONS))
        yield rate("verify: the same, and all projections folded anew", count, journal.verify)

        def write() -> Any:
            with open(export, "w", encoding="utf-8") as file:
                return evidence.export(file.write, at=0)

        yield rate("export", count, write)
        key = journal.info().verifier
        yield rate("verify an export", count, lambda: evidence.verify_export(export, key, ""))
        replay = lambda: evidence.replay(export, key, "", until_pos=None, until=None, names=())  # noqa: E731
        yield rate("replay: verify, then fold", count, replay)
        alone = [sys.executable, "-I", "-S", evidence.put_verifier(str(folder)), export, "--key", key]
        yield rate("verify an export with the standard library alone", count, command(alone))
    yield Figure(what="export: bytes for each record", ours=os.stat(export).st_size / count, unit="bytes")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} processors\n")
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory(prefix="rig-bench-") as name:
        folder = Path(name)
        for figures in (append_figures(folder), evidence_figures(folder, count)):
            for figure in figures:
                print(figure.row(), flush=True)


if __name__ == "__main__":
    main()
