"""What every test may use."""

from __future__ import annotations

import os
import shutil
import signal
import sys

import pytest
from hypothesis import HealthCheck, settings

# A shell starts what it puts in the background with SIGINT ignored, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Some containers give every right to everybody, and rig refuses a folder that everybody may write to.
os.umask(0o022)


# Properties are tried on the same examples every time, however busy the machine is. `make long` looks for others.
settings.register_profile("search", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")


# What a module asserts that is no test itself is explained only if that is said before the first one imports it.
pytest.register_assert_rewrite("tests.kills.machine")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A missing program skips a test on a developer's machine, and fails it where CI=true on Linux."""
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(program) is None:
                reason = f"needs the program `{program}`"
                if os.environ.get("CI") == "true" and sys.platform == "linux":
                    pytest.fail(f"{reason}, and CI has to install it")
                pytest.skip(reason)
