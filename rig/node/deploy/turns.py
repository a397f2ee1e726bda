"""Whose release is made next: a node makes a few at once, and the rest waits its turn."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

Waiting = asyncio.Future[None]
"""Fulfilled when its turn has come."""


class _Queue(msgspec.Struct):
    """Those of one group that wait."""

    since: int
    """When the group came, or had a turn last."""
    waiting: deque[Waiting]


class Turns:
    """At most ``limit`` at once. A turn goes to the group of which the fewest have one, of equals to the one that has
    gone without for longest, and there to the first that came: one change of a network that asks for a thousand
    releases holds up nobody else's."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._going: Counter[str] = Counter()
        self._queues: dict[str, _Queue] = {}
        self._clock = 0

    @property
    def waiting(self) -> int:
        """How many wait for a turn. Asked from any thread."""
        return sum(len(queue.waiting) for queue in list(self._queues.values()))

    @asynccontextmanager
    async def turn(self, group: str) -> AsyncIterator[None]:
        """Wait for a turn, and keep it for as long as the block lasts."""
        mine: Waiting = asyncio.get_running_loop().create_future()
        queue = self._queues.setdefault(group, _Queue(self._tick(), deque()))
        queue.waiting.append(mine)
        self._grant()
        try:
            await mine
            yield
        finally:
            if mine.cancelled():  # it has given up
                if mine in queue.waiting:
                    queue.waiting.remove(mine)
            else:
                self._going[group] -= 1
            if not queue.waiting and self._queues.get(group) is queue:
                del self._queues[group]
            self._grant()

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def _grant(self) -> None:
        self._going += Counter()  # which drops the groups that have none
        while self._queues and self._going.total() < self._limit:
            group = min(self._queues, key=lambda each: (self._going[each], self._queues[each].since))
            queue = self._queues[group]
            first = queue.waiting.popleft()
            if not queue.waiting:
                del self._queues[group]
            if not first.cancelled():
                first.set_result(None)
                queue.since = self._tick()
                self._going[group] += 1
