"""Collects by itself: once a day, and shortly after deployments, which leave most of the garbage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from events.app import DeploySucceeded
from rig.kernel.ports import Recorded
from rig.node.background import guarded

FIRST = 600.0
"""Seconds from the node's start to the first round: until then it has other things to do."""
DAILY = 86_400.0
AFTER_DEPLOY = 60.0
HOURLY = 3600.0
"""At most so often, however many deployments there are."""


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

    def hear(self, record: Recorded) -> None:
        """Take note of a deployment."""
        if isinstance(record.fact, DeploySucceeded) and self._deployed is None:
            self._deployed = self._clock()
            self._news.set()

    async def run(self) -> None:
        """Do each round when it is due, until this is cancelled."""
        while True:
            await self._wait()
            self._last, self._deployed = self._clock(), None
            await guarded(self._collect(), "garbage could not be collected")

    async def _wait(self) -> None:
        """Return when a round is due. News may bring it forward."""
        while (left := due(self._started, self._last, self._deployed) - self._clock()) > 0:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._news.wait()
