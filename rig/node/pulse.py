"""Has the node's journal sign, while nothing happens, that nothing has happened: see `storage.heartbeat`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from rig.node.background import guarded

EVERY = 300.0
"""Seconds between two looks. What is signed, and when, is the journal's to know."""


async def pulse(beat: Callable[[], Awaitable[object]], every: float = EVERY) -> None:
    """Look again and again, until this is cancelled. ``beat`` looks once."""
    while True:
        await asyncio.sleep(every)
        await guarded(beat(), "the journal could not be signed")
