"""What `rig deploy` takes of memory does not depend on what it sends."""

from __future__ import annotations

import os
import random
from pathlib import Path

from tests.bench.harness import peak_memory
from tests.e2e.rig import RIG, User

TOLERANCE = 2.5
"""MB. What a file costs is its entry in the tree, some 70 bytes; what a byte costs is nothing."""


def deploy(user: User, source: Path) -> float:
    """The peak memory, in MB, of sending a source to a network that has nothing."""
    (source / "index.html").write_text("<h1>large</h1>")
    return peak_memory(
        [RIG, "deploy", str(source), "--app", f"{source.name}/site", "--create", "--detach"], user.environ
    )


def of_bytes(folder: Path, megabytes: int) -> Path:
    folder.mkdir()
    for number in range(4):
        (folder / f"part{number}.bin").write_bytes(os.urandom(megabytes << 18))
    return folder


def of_files(folder: Path, files: int) -> Path:
    content = random.Random(1)
    for number in range(files):
        path = folder / f"d{number // 100}" / f"file{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.randbytes(1000))
    return folder


def test_memory_is_flat_in_the_size(user: User, tmp_path: Path) -> None:
    few = deploy(user, of_bytes(tmp_path / "few", 16))
    many = deploy(user, of_bytes(tmp_path / "many", 128))
    assert many - few < TOLERANCE


def test_memory_is_nearly_flat_in_the_number_of_files(user: User, tmp_path: Path) -> None:
    few = deploy(user, of_files(tmp_path / "few-files", 4000))
    many = deploy(user, of_files(tmp_path / "many-files", 12_000))
    assert many - few < TOLERANCE
