"""What tests of many folders need: waiting for conditions, ports, what stands in files, silence."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

TIMEOUT = 20.0
"""Seconds; reached only by a test that fails."""
POLL = 0.01
PORTS = range(15_000, 32_000)
"""Below those that a system gives to whoever asks for any port, as every outgoing connection does."""


class Silence:
    """Progress that nobody watches."""

    def step(self, text: str) -> None: ...
    def advance(self, done: int, total: int, unit: str = "bytes") -> None: ...
    def line(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...


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


def files_with(folder: Path, text: str) -> list[Path]:
    """The files below a folder that hold a text."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files, f"there is nothing in {folder} to look through"
    return [path for path in files if text.encode() in path.read_bytes()]


def free_port() -> int:
    """A port on which nobody listens, and which nobody gets by chance before it is bound."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("", port))
            return port
