"""Files that are replaced as a whole."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from rig.kernel.files import UNFINISHED_SECONDS, write_atomic


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path: Path) -> None:
    left, fresh, other = (
        tmp_path / name for name in ("state.json.7-1.tmp", "state.json.8-1.tmp", "other.json.7-1.tmp")
    )
    for path in (left, fresh, other):
        path.write_bytes(b"half")
    old = time.time() - UNFINISHED_SECONDS - 60
    for path in (left, other):
        os.utime(path, (old, old))
    write_atomic(tmp_path / "state.json", b"whole")
    assert (tmp_path / "state.json").read_bytes() == b"whole"
    # One that is young may belong to somebody who is writing now; one of another file is that one's.
    assert [path.exists() for path in (left, fresh, other)] == [False, True, True]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomic(target, b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
