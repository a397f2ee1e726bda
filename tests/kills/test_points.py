"""The table of failpoints, the code and the kill tests name the same points."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from rig.kernel import failpoints
from rig.kernel.failpoints import POINTS, failpoint
from tests.kills.arming import Failpoints

ROOT = Path(__file__).parents[2]
PLACED = re.compile(r'failpoint\("([a-z.]+)"\)')


def test_each_point_stands_in_the_code_once() -> None:
    sources = [path.read_text() for room in ("rig", "handlers", "storage") for path in (ROOT / room).rglob("*.py")]
    assert Counter(name for source in sources for name in PLACED.findall(source)) == Counter(list(POINTS))


def test_each_point_is_reached_by_a_kill_test() -> None:
    """Every kill test fails unless its point was reached."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*_kills.py"))
    assert [point for point in POINTS if f'"{point}"' not in tests] == []


def test_a_point_acts_once_and_for_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = Failpoints(tmp_path / "points")
    monkeypatch.setattr(failpoints, "_folder", str(points.folder))
    points.arm("deploy.listed", "error", after=1)
    failpoint("deploy.begun")
    failpoint("deploy.listed")
    assert not points.reached()
    with pytest.raises(OSError, match="No space left"):
        failpoint("deploy.listed")
    assert points.reached()
    failpoint("deploy.listed")


def test_nothing_is_armed_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = Failpoints(tmp_path / "points")
    monkeypatch.setattr(failpoints, "_folder", None)
    points.arm("deploy.listed", "error")
    failpoint("deploy.listed")
    assert not points.reached()
