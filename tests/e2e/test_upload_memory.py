"""What `rig deploy` takes of memory does not depend on what it sends."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.bench.harness import peak_memory
from tests.e2e.rig import RIG, User

TOLERANCE = 2.5
"""MB. What a file costs is its entry in the tree, some 70 bytes; what a byte costs is nothing."""
RUNS = 4
"""At most. Which threads are at what in the same moment adds to the peak of a run now and then: the least is what it
takes."""


def peak(user: User, source: Path) -> float:
    """The peak memory, in MB, of sending a source to a network that has nothing."""
    (source / "index.html").write_text("<h1>large</h1>")
    app = f"{source.name}/site"
    memory = peak_memory([RIG, "deploy", str(source), "--app", app, "--create", "--detach"], user.environ)
    shutil.rmtree(source)
    return memory


def is_flat(user: User, folder: Path, make: Callable[[Path, int], Path], few: int, many: int) -> bool:
    """Whether sending much takes no more than sending little. Each run has a source of which nothing is known."""
    least = peak(user, make(folder.with_name(f"few-{folder.name}"), few))
    runs = (peak(user, make(folder.with_name(f"many-{folder.name}-{run}"), many)) for run in range(RUNS))
    return any(memory - least < TOLERANCE for memory in runs)


def of_bytes(folder: Path, megabytes: int) -> Path:
    folder.mkdir()
    for number in range(4):
        (folder / f"part{number}.bin").write_bytes(os.urandom(megabytes << 18))
    return folder


def of_files(folder: Path, files: int) -> Path:
    content = random.Random(folder.name)
    for number in range(files):
        path = folder / f"d{number // 100}" / f"file{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.randbytes(1000))
    return folder


def test_memory_is_flat_in_the_size(user: User, tmp_path: Path) -> None:
    assert is_flat(user, tmp_path / "bytes", of_bytes, 16, 128)


def test_memory_is_nearly_flat_in_the_number_of_files(user: User, tmp_path: Path) -> None:
    assert is_flat(user, tmp_path / "files", of_files, 4000, 12_000)
