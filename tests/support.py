"""What tests of many folders need: waiting for conditions, ports, what stands in files, silence."""

from __future__ import annotations

import asyncio
import glob
import os
import random
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path

TIMEOUT = 120.0
"""Seconds; reached only by a test that fails, however busy the machine is."""
POLL = 0.01
PORTS = range(10_000, 20_000)
"""Below those that nodes give to instances, and those that a system gives to whoever asks for any port, as every
outgoing connection does."""


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


def pass_time(seconds: float) -> None:
    """Let time pass on the running event loop: what waits for no longer is over."""
    loop = asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + seconds  # type: ignore[method-assign]


def files_with(folder: Path, text: str) -> list[Path]:
    """The files below a folder that hold a text."""
    found = {path: text.encode() in content for path, content in contents(folder)}
    assert found, f"there is nothing in {folder} to look through"
    return [path for path, holds in found.items() if holds]


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The files below a folder with what they hold. One that was there for a moment only may be passed over."""
    for path in below(folder):
        with suppress(FileNotFoundError):
            if path.is_file() and not path.is_symlink():
                yield path, path.read_bytes()


def below(folder: Path) -> Iterator[Path]:
    """All that is below a folder. Unlike ``Path.rglob`` it does not mind if something is removed meanwhile."""
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(root, name)


def matching(folder: Path, pattern: str) -> list[Path]:
    """As ``Path.glob``, in order, and likewise for folders that may be removed meanwhile."""
    return [folder / name for name in sorted(glob.glob(pattern, root_dir=folder, include_hidden=True))]


def own_ports() -> Iterator[int]:
    """Ports in no order, each of them for one worker of pytest-xdist alone."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    own = PORTS[worker::workers]
    return cycle(random.SystemRandom().sample(own, len(own)))


_ports = own_ports()


def free_port() -> int:
    """A port on which nobody listens, and which nobody else is given before it is bound: not even the next to ask."""
    while True:
        port = next(_ports)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("", port))
            return port
