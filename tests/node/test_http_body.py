"""Bodies that come slowly, and what is no request at all: told apart, answered as problems, and never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from rig.contract.errors import Problem
from rig.node.http import body
from rig.node.http.body import body_chunks, read_body
from rig.node.http.listening import answer_on
from rig.node.http.problems import problems
from rig.node.sockets import listen
from tests.support import TIMEOUT

HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n"


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> tuple[int, str, bytes]:
        """Status, type and body of the next answer."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        content = await self._reader.readexactly(int(fields["content-length"]))
        return int(head.split()[1]), fields["content-type"], content

    async def problem(self) -> Problem:
        status, kind, content = await self.answer()
        problem = msgspec.json.decode(content, type=Problem)
        assert (status, kind) == (problem.status, "application/problem+json")
        assert "\n" not in problem.detail
        return problem

    async def hung_up(self) -> bool:
        return await self._reader.read() == b""


class Server:
    def __init__(self, port: int, reading: asyncio.Event) -> None:
        self._port = port
        self.reading = reading
        """Set when the first piece of a body has arrived."""

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            yield Wire(reader, writer)
        finally:
            writer.close()


def on_a_server(scenario: Callable[[Server], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        reading = asyncio.Event()

        async def echo(request: web.Request) -> web.Response:
            async def told() -> AsyncIterator[bytes]:
                async for chunk in body_chunks(request):
                    reading.set()
                    yield chunk

            return web.Response(body=b"".join([chunk async for chunk in told()]))

        async def small(request: web.Request) -> web.Response:
            return web.Response(body=await read_body(request, 3))

        app = web.Application(middlewares=[problems])
        app.router.add_post("/echo", echo)
        app.router.add_post("/small", small)
        async with AsyncExitStack() as stack, asyncio.timeout(TIMEOUT):
            listening = listen(0)
            stack.callback(listening.close)
            await answer_on(app, listening.sockets, stack)
            await scenario(Server(listening.port, reading))

    asyncio.run(main())


@pytest.mark.parametrize("sent", [b"", b"abc"], ids=["nothing", "a half"])
def test_a_body_of_which_nothing_more_comes_is_given_up(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "IDLE_SECONDS", 0.05)

    async def scenario(server: Server) -> None:
        async with server.connected() as wire:
            await wire.send(HEAD + b"\r\n" + sent)
            problem = await wire.problem()
            assert (problem.status, problem.code) == (408, "too_slow")

    on_a_server(scenario)


def test_a_body_that_takes_long_in_all_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is the time between two pieces: each of these is waited for anew."""
    begun: list[float] = []
    real = asyncio.timeout

    def counted(delay: float | None) -> asyncio.Timeout:
        begun.append(delay or 0)
        return real(delay)

    async def scenario(server: Server) -> None:
        async with server.connected() as wire:
            await wire.send(HEAD + b"\r\n")
            for piece in (b"ab", b"cd", b"ef"):
                server.reading.clear()
                await wire.send(piece)
                await server.reading.wait()
            assert await wire.answer() == (200, "application/octet-stream", b"abcdef")

    with monkeypatch.context() as patched:
        patched.setattr("rig.node.http.body.asyncio.timeout", counted)
        on_a_server(scenario)
    assert begun.count(body.IDLE_SECONDS) >= 3


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\n\r\n",
        b"Content-Length: 4\r\n\r\nabcd",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n",
    ],
    ids=["announced", "sent", "in pieces"],
)
def test_a_body_that_is_too_large_is_refused_as_soon_as_that_is_known(head: bytes) -> None:
    async def scenario(server: Server) -> None:
        async with server.connected() as wire:
            await wire.send(b"POST /small HTTP/1.1\r\nHost: x\r\n" + head)
            assert (await wire.problem()).code == "too_large"

    on_a_server(scenario)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"hello\r\n\r\n", "usage"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "usage"),
        (b"GET / HTTP/7.7\r\n\r\n", "usage"),
        (b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n", "usage"),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", "usage"),
        (b"GET /" + b"n" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "too_large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n", "too_large"),
    ],
    ids=["a word", "TLS", "a version that is none", "an address that is none", "a length that is none", "a long line",
         "a long header"],
)  # fmt: skip
def test_what_is_no_request_is_answered_as_a_problem(sent: bytes, code: str) -> None:
    async def scenario(server: Server) -> None:
        async with server.connected() as wire:
            await wire.send(sent)
            problem = await wire.problem()
            assert problem.code == code
            assert len(problem.detail) < 200, "it is not sent back what it has sent"
            assert await wire.hung_up()

    on_a_server(scenario)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: the unexpected\r\nContent-Length: 0\r\n\r\n", 400),
        (b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ],
    ids=["an expectation", "a path that leads nowhere", "a method that is none of it"],
)
def test_what_the_server_itself_refuses_is_answered_as_a_problem(head: bytes, status: int) -> None:
    async def scenario(server: Server) -> None:
        async with server.connected() as wire:
            await wire.send(head)
            assert (await wire.problem()).status == status

    on_a_server(scenario)


def test_a_connection_on_which_no_request_comes_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rig.node.http.listening.REQUEST_SECONDS", 0.05)

    async def scenario(server: Server) -> None:
        async with server.connected() as silent, server.connected() as slow:
            await slow.send(b"GET /nowhere HTTP/1.1\r\nHost:")
            assert await silent.hung_up()
            assert await slow.hung_up()

    on_a_server(scenario)
