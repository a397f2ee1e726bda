"""The sockets of the API: what comes there and is no request at all is answered as a problem, too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from socket import socket

from aiohttp import http_exceptions, web

from rig.kernel.errors import RigError
from rig.node.http.problems import is_refusal, problem_response, refusal
from rig.node.sockets import BACKLOG

log = logging.getLogger("rig.node.http")

REQUEST_SECONDS = 75.0
"""For which a connection may have no request: at first, within which its head has to come, and between two of them."""
SHUTDOWN_SECONDS = 2.0
"""What requests that are under way get to end when the node does."""


class Connection(web.RequestHandler):
    """aiohttp answers what it cannot parse in plain text, and logs each with a trace."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request, or to one that failed before its route was found. It is the last one."""
        if status >= 500 or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        if isinstance(exc, http_exceptions.LineTooLong):
            code, why = "too_large", "its first line, or a header, is too long"
        else:
            # What was sent stands in the lines below the first.
            code, why = "usage", (message or "").partition("\n")[0].strip().rstrip(".:") or "it is no HTTP"
        log.info("a request from %s cannot be read: %s", request.remote, ascii(why))
        response = problem_response(RigError(code, f"The request cannot be read: {why}."))
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer. A refusal by aiohttp itself, before any of our own code was reached, becomes a problem."""
        if isinstance(resp, web.HTTPException) and is_refusal(resp):
            resp = problem_response(refusal(resp))
        return await super().finish_response(request, resp, start_time)


async def answer_on(app: web.Application, sockets: Sequence[socket], stack: AsyncExitStack) -> None:
    """Answer on these sockets until ``stack`` is left."""
    runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    server, loop = runner.server, asyncio.get_running_loop()
    assert server is not None  # it is there from the set-up on

    def connect() -> Connection:
        # That None is no log at all is what web.AppRunner goes by, too.
        return Connection(server, loop=loop, keepalive_timeout=REQUEST_SECONDS, access_log=None)  # type: ignore[arg-type]

    for each in sockets:
        listener = await loop.create_server(connect, sock=each, backlog=BACKLOG)
        stack.callback(listener.close)
