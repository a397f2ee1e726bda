"""A disk that is really full, at every step: a small file system, which bubblewrap mounts for one process tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.small_disk import CLIENT, MB, NODE

pytestmark = [
    pytest.mark.needs("bwrap"),
    pytest.mark.skipif(sys.platform != "linux", reason="mount namespaces are Linux's own"),
]
SIZE = 32 * MB


@pytest.mark.parametrize("scenario", [*NODE, *CLIENT])
def test_the_disk_is_full(scenario: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounts = ["--dev-bind", "/", "/", "--size", str(SIZE), "--tmpfs", str(disk)]
    # In a process namespace of their own nothing outlives the test, whatever becomes of it.
    argv = ["bwrap", *mounts, "--unshare-pid", "--proc", "/proc", "--die-with-parent", sys.executable]
    argv += ["-m", "tests.faults.small_disk", scenario, str(disk), str(tmp_path)]
    done = subprocess.run(argv, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.split() == [scenario]
    assert list(disk.iterdir()) == []
