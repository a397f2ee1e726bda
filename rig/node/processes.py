"""Waiting for the end of a process that may be nobody's child of ours."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

POLL = 0.1
"""Seconds between two looks at a process, where the system has no pidfd (pidfd_open(2) is Linux)."""


async def until_ended(pid: int, alive: Callable[[], bool]) -> None:
    """Return when a process has ended. ``alive`` says whether it runs still, and is no other one of the same pid."""
    while alive():
        if hasattr(os, "pidfd_open"):
            await _until_told(pid, alive)
        else:
            await asyncio.sleep(POLL)


async def _until_told(pid: int, alive: Callable[[], bool]) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    try:
        loop.add_reader(descriptor, over.set)
        # The pid may have gone to somebody else before it was opened.
        if alive():
            await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
