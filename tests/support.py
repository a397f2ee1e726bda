"""Waiting for conditions, for tests of things that take an unknown, short time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

TIMEOUT = 20.0
"""Seconds; reached only by a test that fails."""
POLL = 0.01


def wait_until(condition: Callable[[], object], what: str, timeout: float = TIMEOUT) -> None:
    """Return when ``condition`` is true; fail, naming ``what`` was waited for, when it never is."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"waited {timeout:g} s in vain: {what}"
        time.sleep(POLL)


async def until(condition: Callable[[], Awaitable[object]], what: str, timeout: float = TIMEOUT) -> None:
    """As :func:`wait_until`, for a condition that has to be awaited."""
    end = time.monotonic() + timeout
    while not await condition():
        assert time.monotonic() < end, f"waited {timeout:g} s in vain: {what}"
        await asyncio.sleep(POLL)
