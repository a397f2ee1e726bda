"""The two commands of the set-up touch nothing but the checkout."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.needs("make")
def test_the_demo_never_removes_the_home_that_somebody_else_works_with() -> None:
    environ = {**os.environ, "RIG_HOME": "/somebodys/own"}
    said = subprocess.run(
        ["make", "-n", "demo-stop"], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    assert f'rm -rf "{ROOT}/.rig"' in said.stdout.splitlines()
    assert "/somebodys/own" not in said.stdout
