"""What every test may use."""

from __future__ import annotations

import os
import shutil
import signal
import sys

import pytest

# A shell starts what it puts in the background with SIGINT ignored, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
