"""The journal as evidence, at a million records: `python -m tests.bench.evidence [RECORDS]`.

The peers are those of `tests.bench.peers`. A rate counts records by the wall, in this process and those that it starts;
beside it stands the time of all processors together, which other work on the machine changes less.
"""

from __future__ import annotations

import os
import platform
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from handlers.audit_answer import answer
from handlers.audit_query import question
from rig.contract.review import AuditFilter
from rig.kernel.ids import uuid7
from rig.kernel.ports import Stamp
from storage.evidence import Evidence
from storage.journal import Journal
from storage.texts import TextIndex
from tests.bench.appending import PROJECTIONS, drafts, open_journal
from tests.bench.harness import HEADER, Figure, Work, command, compare, seconds
from tests.bench.peers import Peer, hash_twice, peers
from tests.support import Silence

ROOT = Path(__file__).parents[2]
APPENDS = 100
WRITERS = 8
AT_ONCE = 5_000
"""Records in one transaction while the million is made."""


def fill(folder: Path, count: int) -> None:
    with open_journal(folder, plain=True) as journal:
        for first in range(0, count, AT_ONCE):
            batch = [draft for number in range(first, min(first + AT_ONCE, count), 2) for draft in drafts(number)]
            identity = uuid7()
            journal.append(batch, Stamp(id=identity, actor=f"user:u{first % 7}", at=time.time_ns(), corr=identity))


def environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def ours(folder: str, count: int) -> list[str]:
    """The command line of a process that appends to a journal."""
    return [sys.executable, "-c", "from tests.bench.appending import main; main()", folder, str(count)]


def theirs(peer: Peer, count: int) -> list[str]:
    return [sys.executable, "-c", peer.append, peer.file, str(count)]


def together(argv: list[str]) -> Work:
    """Several processes at once."""

    def work() -> None:
        writers = [subprocess.Popen(argv, env=environ(), stderr=subprocess.DEVNULL) for _ in range(WRITERS)]
        failed = [writer.wait() for writer in writers]
        if any(failed):
            raise RuntimeError(f"{sum(map(bool, failed))} of {WRITERS} writers failed")

    return work


def append_figures(folder: Path) -> Iterator[Figure]:
    """One append from a fresh process; a hundred in a loop; eight writers at once."""
    home = str(folder / "appends")
    command(ours(home, 1), env=environ())()
    for peer in peers(folder):
        for what, count, work in (
            ("fresh process, one append", 1, lambda argv: command(argv, env=environ())),
            (f"fresh process, {APPENDS} appends", APPENDS, lambda argv: command(argv, env=environ())),
            (f"{WRITERS} writers, 40 appends each", 40, together),
        ):
            mine, other = work(ours(home, count)), work(theirs(peer, count))
            budget = "≤ 3 ×" if peer.name == "bare SQLite" and count > 1 else ""
            try:
                yield compare(f"journal: {what}", mine, other, peer_name=peer.name, budget=budget, runs=7)
            except (RuntimeError, subprocess.CalledProcessError):
                yield Figure(what=f"journal: {what}", ours=seconds(mine), peer_name=f"{peer.name} fails")


def processor() -> float:
    """Seconds of all processors so far, of this process and of those that it has waited for."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def rate(
    what: str, count: int, work: Callable[[], object], budget: str = "", peer: float = 0.0, peer_name: str = ""
) -> Figure:
    """``peer`` is the rate of a peer."""
    began = processor()
    took = seconds(work)
    used = processor() - began
    return Figure(
        what=f"{what} ({used:.1f} s of processors)",
        ours=count / took,
        peer=peer,
        peer_name=peer_name,
        budget=budget,
        unit="rate",
    )


def read_all(journal: Journal) -> None:
    after = -1
    while page := journal.read(after, AT_ONCE):
        after = page[-1].pos


def size(path: str | Path, count: int) -> float:
    """Bytes for each record, what is written ahead included."""
    return sum(os.stat(name).st_size for name in (path, f"{path}-wal") if os.path.exists(name)) / count


def evidence_figures(folder: Path, count: int) -> Iterator[Figure]:
    """What is done with a long journal."""
    home, export = folder / "long", str(folder / "export.jsonl")
    file = home / "journal.sqlite"
    yield rate("journal: made in large transactions", count, lambda: fill(home, count))
    yield Figure(what="journal: bytes for each record, indexes included", ours=size(file, count), unit="bytes")
    floor = count / seconds(lambda: hash_twice(str(file)))
    with open_journal(home, plain=True) as journal:
        what = "verify: records, chain, tree, signatures, file"
        yield rate(what, count, journal.verify, "≥ 200 k/s", floor, "read, and two hashes each, in one process")
    with open_journal(home) as journal:
        evidence = Evidence(lambda: journal)
        what = "rebuild: five projections with their indexes"
        yield rate(what, count, lambda: journal.rebuild(PROJECTIONS), "≥ 400 k/s")
        what = "journal: bytes for each record, projections included"
        yield Figure(what=what, ours=size(file, count), unit="bytes")
        yield rate("verify: the same, and all projections folded anew", count, journal.verify)

        def write() -> Any:
            with open(export, "w", encoding="utf-8") as target:
                return evidence.export(target.write, at=0)

        yield rate("export", count, write)
        key = journal.info().verifier
        yield rate("verify an export", count, lambda: evidence.verify_export(export, key, ""))
        replay = lambda: evidence.replay(export, key, "", until_pos=None, until=None, names=())  # noqa: E731
        yield rate("replay: verify, then fold", count, replay)
        alone = [sys.executable, "-I", "-S", evidence.put_verifier(str(folder)), export, "--key", key]
        yield rate("verify an export with the standard library alone", count, command(alone))
        yield Figure(what="export: bytes for each record", ours=size(export, count), unit="bytes")

        asked, texts = (
            question(AuditFilter(actor="user:nobody"), time.time_ns()),
            TextIndex(str(folder / "w"), Silence()),
        )
        nobody = min(seconds(lambda: answer(journal, asked, 51, texts)) for _ in range(5))
        reading = count / seconds(lambda: read_all(journal))
    (folder / "peers").mkdir()
    for peer in peers(folder / "peers"):
        yield from beside(peer, count, nobody, reading)


def beside(peer: Peer, count: int, nobody: float, reading: float) -> Iterator[Figure]:
    """A recorder of as many records: its size, how fast it is read, and what it takes to ask it something.

    ``nobody`` is how long our answer takes, ``reading`` our rate.
    """
    peer.fill(peer.file, count)
    yield Figure(what=f"{peer.name}: bytes for each record", ours=size(peer.file, count), unit="bytes")
    read = count / seconds(lambda: peer.read(peer.file))
    yield Figure(what="read: every record decoded", ours=reading, peer=read, peer_name=peer.name, unit="rate")
    took = seconds(lambda: peer.find(peer.file))
    yield Figure(what="audit: what one actor did", ours=nobody, peer=took, peer_name=peer.name, budget="≤ 10 ms")


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
