"""Whole processes against a named peer, in turn, in the same run: what counts is the ratio of the medians."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

Work = Callable[[], object]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    what: str
    ours: float
    """Seconds, median; or what ``unit`` says."""
    peer: float = 0.0
    """Likewise; 0 where there is no peer."""
    peer_name: str = ""
    budget: str = ""
    unit: str = "ms"

    @property
    def ratio(self) -> float:
        return self.ours / self.peer if self.peer else 0.0

    def row(self) -> str:
        """A row of a Markdown table."""
        shown: dict[str, Callable[[float], str]] = {
            "ms": lambda x: f"{x * 1000:.1f} ms",
            "bytes": lambda x: f"{x:,.0f} B",
            "MB": lambda x: f"{x:.1f} MB",
            "MiB": lambda x: f"{x:.1f} MiB",
            "rate": lambda x: f"{x:,.0f} /s",
        }
        form = shown[self.unit]
        ratio = f"{self.ratio:.2f} ×" if self.peer else "–"
        peer = f"{form(self.peer)} ({self.peer_name})" if self.peer else "–"
        return f"| {self.what} | {form(self.ours)} | {peer} | {ratio} | {self.budget or '–'} |"


HEADER = "| what | rig | peer | ratio | budget |\n|---|---|---|---|---|"


def compare(
    what: str,
    ours: Work,
    peer: Work,
    *,
    peer_name: str,
    budget: str,
    runs: int = 15,
    measure: Callable[[Work], float] | None = None,
) -> Figure:
    """Time both in turn, A B A B …, after one run of each that does not count."""
    measure = measure or seconds
    ours()
    peer()
    mine, theirs = [], []
    for _ in range(runs):
        mine.append(measure(ours))
        theirs.append(measure(peer))
    return Figure(
        what=what,
        ours=statistics.median(mine),
        peer=statistics.median(theirs),
        peer_name=peer_name,
        budget=budget,
    )


def seconds(work: Work) -> float:
    """How long it takes, by the wall."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def processor_seconds(work: Work) -> float:
    """The processor time of this process and of those that it starts: what else the machine does is left out."""

    def used() -> float:
        return sum(
            usage.ru_utime + usage.ru_stime
            for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
        )

    before = used()
    work()
    return used() - before


def command(argv: Sequence[str | Path], *, env: dict[str, str] | None = None, cwd: Path | None = None) -> Work:
    """A whole process that has to succeed; what it prints is thrown away."""

    def run() -> None:
        subprocess.run(argv, env=env, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return run


def peak_memory(argv: Sequence[str | Path], env: Mapping[str, str]) -> float:
    """Largest resident size of one process in MB of 10^6 bytes, as the system accounts for it."""
    script = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", script, *argv], env=env, check=True, capture_output=True, text=True)
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024) / 1e6
