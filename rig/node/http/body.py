"""Bodies of requests, read with a limit of their size and of the time in which nothing comes.

There is no limit of the whole time: a large source over a slow line may take as long as it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from rig.kernel.errors import RigError

IDLE_SECONDS = 30.0
"""Who sends nothing for so long is not waited for: it would hold a connection and a task for ever."""

CHUNK = 256 << 10


async def body_chunks(request: web.Request) -> AsyncIterator[bytes]:
    """The body in pieces, as they come. Raises `RigError` ``too_slow``."""
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                chunk = await request.content.read(CHUNK)
        except TimeoutError:
            raise RigError(
                "too_slow", f"Nothing more of the body came for {IDLE_SECONDS:g} seconds.", "Send it again."
            ) from None
        if not chunk:
            return
        yield chunk


async def read_body(request: web.Request, limit: int) -> bytes:
    """All of it. Raises `RigError` ``too_large``, before anything is read where the sender says so; ``too_slow``."""
    if (request.content_length or 0) > limit:
        raise too_large(limit)
    body = bytearray()
    async for chunk in body_chunks(request):
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


def too_large(limit: int) -> RigError:
    """The error for a body of more than ``limit`` bytes."""
    return RigError("too_large", f"The body of the request is larger than {limit} bytes.")
