"""A load on two apps, as a process of its own: `python -m tests.e2e.load PORT HOST OTHER_HOST`.

It keeps requests of every kind under way until its standard input is closed; then it finishes what it has begun and
prints a :class:`Report`. Nothing is tried a second time: what was sent was answered, or has failed.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import aiohttp
import msgspec

from tests.e2e.switch_app import PIECE, PIECES

PATIENCE = 120.0
"""Seconds that an answer may take; reached only by one that never comes."""
REST = 0.01
"""Seconds between two short requests of one client."""
SLOW = 0.1
"""Seconds between two pieces of an upload."""

LASTING = 15
"""How many clients stay connected, be it by requests that last or by keep-alive."""


class Kind(msgspec.Struct):
    """What became of the requests of one kind."""

    begun: int = 0
    whole: int = 0
    """Answered to the end, and rightly."""
    moved: int = 0
    """Of those, streams that the server ended, in the way their protocol has for it."""
    shortest: float = PATIENCE
    """Seconds that the shortest of the moved ones lasted."""
    failures: list[str] = []


class Report(msgspec.Struct):
    """Of a whole run, by kind of request."""

    kinds: dict[str, Kind] = {}

    @property
    def failures(self) -> dict[str, list[str]]:
        """The kinds of which something failed, and why."""
        return {name: kind.failures for name, kind in self.kinds.items() if kind.failures}


class Failed(Exception):
    """An answer that is not the right one."""


class Load:
    """All clients of a run. ``over`` is set when they are to come to an end."""

    def __init__(self, base: str, host: str, other: str) -> None:
        self.base, self.host, self.other = base, host, other
        self.over = asyncio.Event()
        self.report = Report()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(self.again("get", self.get))
                group.create_task(self.again("post", self.post))
            for _ in range(2):
                group.create_task(self.again("upload", self.upload))
                group.create_task(self.again("download", self.download))
                group.create_task(self.again("events", self.events))
                group.create_task(self.again("websocket", self.websocket))
            group.create_task(self.again("new connection", self.get, keep_alive=False))
            group.create_task(self.again("other app", self.other_websocket))

    async def again(
        self, name: str, ask: Callable[[aiohttp.ClientSession, Kind], Awaitable[None]], keep_alive: bool = True
    ) -> None:
        """One client: one request after the other, on one connection where it is kept."""
        kind = self.report.kinds.setdefault(name, Kind())
        connector = aiohttp.TCPConnector(limit=1, force_close=not keep_alive)
        timeout = aiohttp.ClientTimeout(total=None, sock_read=PATIENCE)
        async with aiohttp.ClientSession(self.base, connector=connector, timeout=timeout) as session:
            # aiohttp would send a GET again whose connection was closed under it, and that is what is to be seen.
            session._retry_connection = False
            while not self.over.is_set():
                kind.begun += 1
                try:
                    await ask(session, kind)
                except (aiohttp.ClientError, OSError, TimeoutError, Failed) as error:
                    kind.failures.append(f"{time.time():.2f} {type(error).__name__}: {error}")
                else:
                    kind.whole += 1
                await self.pause(REST)

    async def pause(self, seconds: float) -> None:
        """Until the load is over, for so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.over.wait()

    async def get(self, session: aiohttp.ClientSession, kind: Kind) -> None:
        async with session.get("/", headers={"Host": self.host}) as response:
            expect(response.status == 200, f"status {response.status}: {await response.text()}")
            await response.read()

    async def post(self, session: aiohttp.ClientSession, kind: Kind) -> None:
        await self.hashed(session, b"a small body", [b"a small body"])

    async def upload(self, session: aiohttp.ClientSession, kind: Kind) -> None:
        """A body that takes its time."""
        pieces = [b"%d" % number * 1024 for number in range(10)]

        async def slowly() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece
                await self.pause(SLOW)

        await self.hashed(session, slowly(), pieces)

    async def hashed(self, session: aiohttp.ClientSession, data: object, pieces: list[bytes]) -> None:
        async with session.post("/hash", headers={"Host": self.host}, data=data) as response:
            text = await response.text()
            expect(response.status == 200, f"status {response.status}: {text}")
            expect(text == hashlib.sha256(b"".join(pieces)).hexdigest(), "the app got something else")

    async def download(self, session: aiohttp.ClientSession, kind: Kind) -> None:
        async with session.get("/download", headers={"Host": self.host}) as response:
            expect(response.status == 200, f"status {response.status}")
            content = await response.read()
            expect(content == PIECE * PIECES, f"{len(content)} bytes came")

    async def events(self, session: aiohttp.ClientSession, kind: Kind) -> None:
        began = time.monotonic()
        async with session.get("/events", headers={"Host": self.host}) as response:
            expect(response.status == 200, f"status {response.status}")
            last = b""
            async for line in response.content:
                last = line.strip() or last
                if self.over.is_set():
                    return
            expect(last == b"data: moved", f"the stream was cut after {last!r}")
            moved(kind, began)

    async def websocket(self, session: aiohttp.ClientSession, kind: Kind) -> None:
        await self.conversation(session, kind, self.host)

    async def other_websocket(self, session: aiohttp.ClientSession, kind: Kind) -> None:
        await self.conversation(session, kind, self.other)

    async def conversation(self, session: aiohttp.ClientSession, kind: Kind, host: str) -> None:
        began = time.monotonic()
        async with session.ws_connect("/echo", headers={"Host": host}) as socket:
            number = 0
            while not self.over.is_set():
                number += 1
                with suppress(ConnectionError):  # closed by the server: its close frame is what is read next
                    await socket.send_str(str(number))
                message = await socket.receive(PATIENCE)
                if message.type is not aiohttp.WSMsgType.TEXT:
                    expect(message.data == 1001, f"ended by {message.type.name} {message.data or ''}")
                    moved(kind, began)
                    return
                expect(message.data == str(number), "an echo of something else")
                await self.pause(REST)
            await socket.close()
            expect(socket.close_code == 1000, f"closed with {socket.close_code}")


def expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Failed(otherwise)


def moved(kind: Kind, began: float) -> None:
    kind.moved += 1
    kind.shortest = min(kind.shortest, time.monotonic() - began)


async def told_to_stop(load: Load) -> None:
    """Until standard input is closed, as it is too when the test has ended in whatever way."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    load.over.set()


async def main(port: str, host: str, other: str) -> None:
    load = Load(f"http://127.0.0.1:{port}", host, other)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        group.create_task(told_to_stop(load))
    sys.stdout.buffer.write(msgspec.json.encode(load.report))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
