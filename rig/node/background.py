"""Work in the background of the node's event loop: nobody waits for it, so what it raises is logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any

from rig.kernel.errors import RigError

log = logging.getLogger("rig.node")


class Background:
    """Begins work, and knows what of it has not ended."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        """Begin ``work``; None, and nothing is done, once this was closed."""
        if self._closed:
            work.close()
            return None
        task = asyncio.create_task(guarded(work, "work in the background failed"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # one that was cancelled before it began
        return task

    async def close(self) -> None:
        """Cancel what has not ended, and begin nothing more. All of it has ended when this returns."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def guarded(work: Awaitable[object], failed: str) -> None:
    """Do ``work``; what it raises is logged behind ``failed``, which says what that means."""
    try:
        await work
    except RigError as error:
        log.error("%s: %s", failed, error.message)
    except Exception:  # whatever it is: a task that dies of it would do so unseen
        log.exception("%s", failed)
