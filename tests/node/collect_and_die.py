"""Collects the garbage of copies of a store, each time killed one step later than the time before.

``python -m tests.node.collect_and_die STORE NOW BUNDLE`` leaves the copies beside the store, and prints a JSON list of
the steps, in order; the first copy was killed before the first step, and so on.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig.node.bundles.collect import collect
from rig.node.bundles.index import Index
from rig.node.bundles.store import Store

STEPS: list[str] = []


def instrument(die_at: int) -> None:
    """Count the steps that change something on the disk, and end without a word before one of them."""

    def step(name: str) -> None:
        if len(STEPS) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        STEPS.append(name)

    def counted(name: str, real: Any) -> Any:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            step(name)
            return real(*arguments, **options)

        return wrapped

    setattr(os, "fsync", counted("sync", os.fsync))  # noqa: B010
    setattr(Path, "rename", counted("rename", Path.rename))  # noqa: B010
    setattr(Path, "unlink", counted("unlink", Path.unlink))  # noqa: B010
    real_change = Index.change

    @contextmanager
    def change(self: Index) -> Iterator[sqlite3.Connection]:
        with real_change(self) as db:
            yield db
            step("commit")

    setattr(Index, "change", change)  # noqa: B010


def run(root: Path, now: float, bundle: str, die_at: int) -> list[str] | None:
    """Collect in a process of its own; the steps if it came to its end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        store = Store(root, clock=lambda: now)
        instrument(die_at)
        collect(store, [bundle])
        os.write(writing, json.dumps(STEPS).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return None
    assert status == 0
    return list(json.loads(said))


def main() -> None:
    root, now, bundle = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    killed = 0
    while True:
        copy = root.with_name(f"{root.name}.{killed}")
        shutil.copytree(root, copy)
        steps = run(copy, now, bundle, killed)
        if steps is not None:
            break
        killed += 1
    print(json.dumps(steps))


if __name__ == "__main__":
    main()
