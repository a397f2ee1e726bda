"""How much of the logs of runs that are over is kept."""

from __future__ import annotations

import shutil
from collections.abc import Container
from pathlib import Path

KEEP_RUNS = 50
KEEP_BYTES = 256 << 20


def prune(folder: Path, live: Container[str], runs: int = KEEP_RUNS, size: int = KEEP_BYTES) -> list[str]:
    """Remove the oldest streams of ``folder`` beyond ``runs`` streams or ``size`` bytes; the names of those removed.

    The name of a stream is the id of its run, and those sort by time. Streams in ``live`` are kept whatever they hold.
    """
    removed = []
    total = 0
    streams = sorted((path for path in folder.iterdir() if path.is_dir()), reverse=True)
    for kept, stream in enumerate(streams, 1):
        total += sum(path.stat().st_size for path in stream.iterdir())
        if stream.name not in live and (kept > runs or total > size):
            shutil.rmtree(stream)
            removed.append(stream.name)
    return removed
