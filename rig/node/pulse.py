"""Has the node's journal sign, while nothing happens, that nothing has happened: see `storage.heartbeat`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from rig.kernel.errors import RigError

EVERY = 300.0
"""Seconds between two looks. What is signed, and when, is the journal's to know."""

log = logging.getLogger("rig.node.pulse")


class Pulse:
    """``beat`` looks once. Use it from the node's event loop."""

    def __init__(self, beat: Callable[[], Awaitable[object]], every: float = EVERY) -> None:
        self._beat = beat
        self._every = every
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="pulse")

    async def close(self) -> None:
        """No more looks."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self._beat()
            except RigError as error:
                log.error("the journal could not be signed: %s", error.message)
            except Exception:  # nobody waits for this task: without it the looks would end unseen
                log.exception("the journal could not be signed")
