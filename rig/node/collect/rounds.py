"""Collects by itself: once a day, and shortly after deployments, which leave most of the garbage."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from events.app import DeploySucceeded
from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded

FIRST = 600.0
"""Seconds from the node's start to the first round: until then it has other things to do."""
DAILY = 86_400.0
AFTER_DEPLOY = 60.0
HOURLY = 3600.0
"""At most so often, however many deployments there are."""

log = logging.getLogger("rig.node.collect")


def due(started: float, last: float | None, deployed: float | None) -> float:
    """When the next round begins. ``deployed`` is the first deployment since the last one. All by one clock."""
    daily = started + FIRST if last is None else last + DAILY
    if deployed is None:
        return daily
    soon = deployed + AFTER_DEPLOY
    return min(daily, soon if last is None else max(soon, last + HOURLY))


class Rounds:
    """``collect`` does one round. Use it from the node's event loop."""

    def __init__(self, collect: Callable[[], Awaitable[None]], clock: Callable[[], float] = time.monotonic) -> None:
        self._collect = collect
        self._clock = clock
        self._started = clock()
        self._last: float | None = None
        self._deployed: float | None = None
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def hear(self, record: Recorded) -> None:
        """Take note of a deployment."""
        if isinstance(record.fact, DeploySucceeded) and self._deployed is None:
            self._deployed = self._clock()
            self._news.set()

    def start(self) -> None:
        """Begin to wait for the first round."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """No more rounds. One that is under way has come to its end when this returns."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._wait()
            self._last, self._deployed = self._clock(), None
            try:
                await self._collect()
            except RigError as error:
                log.error("garbage could not be collected: %s", error.message)
            except Exception:
                log.exception("garbage could not be collected")

    async def _wait(self) -> None:
        """Return when a round is due. News may bring it forward."""
        while (left := due(self._started, self._last, self._deployed) - self._clock()) > 0:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._news.wait()
