"""A small application that edge and health tests put behind an edge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class App:
    """Answers with its name, and tells the test what it sees."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.received = asyncio.Event()
        """The first piece of an upload has arrived."""
        self.go_on = asyncio.Event()
        """A held stream goes on to its end."""
        self.left = asyncio.Event()
        """A client of a stream has left."""

    def application(self) -> web.Application:
        app = web.Application(client_max_size=1 << 30)
        app.add_routes(
            [
                web.get("/", self.hello),
                web.get("/status/{status}", self.status),
                web.get("/headers", self.headers),
                web.get("/events", self.events),
                web.get("/trickle", self.trickle),
                web.get("/ws", self.websocket),
                web.post("/count", self.count),
            ]
        )
        return app

    async def hello(self, request: web.Request) -> web.Response:
        return web.Response(text=self.name)

    async def status(self, request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]), text="own page", headers={"Location": "/"})

    async def headers(self, request: web.Request) -> web.Response:
        return web.json_response(dict(request.headers))

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        return await self._hold(request, response, b"data: 0\n\n", b"data: 1\n\n")

    async def trickle(self, request: web.Request) -> web.StreamResponse:
        """A body of known length that comes in two pieces."""
        response = web.StreamResponse(headers={"Content-Length": "22"})
        return await self._hold(request, response, b"first line\n", b"later line\n")

    async def _hold(
        self, request: web.Request, response: web.StreamResponse, first: bytes, last: bytes
    ) -> web.StreamResponse:
        await response.prepare(request)
        await response.write(first)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.left.set()
            raise
        await response.write(last)
        return response

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{self.name}: {message.data}")
        return socket

    async def count(self, request: web.Request) -> web.Response:
        total = 0
        async for piece in request.content.iter_any():
            total += len(piece)
            self.received.set()
        return web.Response(text=str(total))


@asynccontextmanager
async def serve_app(name: str, port: int = 0) -> AsyncIterator[App]:
    app = App(name)
    runner = web.AppRunner(app.application(), handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    app.port = runner.addresses[0][1]
    try:
        yield app
    finally:
        await runner.cleanup()
