"""The kernel's keyrings: what the node's session holds is not for apps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

APP = """
import ctypes, os
syscall = ctypes.CDLL(None, use_errno=True).syscall
key = syscall({keyctl}, 10, -3, b"user", b"rig-canary", 0)
buffer = ctypes.create_string_buffer(100)
syscall({keyctl}, 11, key, buffer, 100)
print("read", buffer.value.decode() or os.strerror(ctypes.get_errno()))
"""
"""Searches its session keyring for the canary, and reads it."""

NODE = """
import asyncio, ctypes, os, sys
from pathlib import Path
from tests.node.runs import runs_below
syscall = ctypes.CDLL(None, use_errno=True).syscall
syscall({keyctl}, 1, None)
if syscall({add_key}, b"user", b"rig-canary", b"canary", 6, -3) < 0:
    sys.exit("no keyrings: " + os.strerror(ctypes.get_errno()))
exec(sys.argv[3])
with runs_below(Path(sys.argv[1]), sys.argv[2]) as runs:
    run = runs.python(sys.argv[3])
    asyncio.run(runs.driver.run(run, 120))
    print("\\n".join(runs.output(run)))
"""
"""A node with the canary in its session; it can read it, and starts an app that tries."""

NUMBERS = {"x86_64": {"keyctl": 250, "add_key": 248}, "aarch64": {"keyctl": 219, "add_key": 217}}


@pytest.mark.skipif(os.uname().machine not in NUMBERS, reason="the numbers of the system calls are not known here")
@pytest.mark.parametrize("isolation", [pytest.param("bubblewrap", marks=pytest.mark.needs("bwrap")), "none"])
def test_an_app_does_not_inherit_the_nodes_session_keyring(tmp_path: Path, isolation: str) -> None:
    numbers = NUMBERS[os.uname().machine]
    script = APP.format(**numbers)
    done = subprocess.run(
        [sys.executable, "-c", NODE.format(**numbers), str(tmp_path), isolation, script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if "no keyrings" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.stdout.splitlines() == ["read canary", "read Required key not available"], done.stderr
