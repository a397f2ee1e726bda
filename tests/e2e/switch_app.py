"""An app whose requests are still running when its version is switched. Nothing but Python; deployed as `main.py`.

It ends as a server should: told to by SIGTERM, it accepts nothing more, closes event streams and WebSockets in the way
their protocols have for it, finishes what else it has begun, and goes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

PIECES, PIECE, PAUSE = 30, b"rig" * 4096, 0.05
"""A download: how many pieces, each, and the seconds between two."""
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE = 1, 8
"""Opcodes of RFC 6455."""
GOING_AWAY = (1001).to_bytes(2, "big")

Headers = dict[str, str]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


class Server:
    """One instance. ``ending`` is set by SIGTERM."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.ending = asyncio.Event()
        self.connections: dict[asyncio.Task[None], bool] = {}
        """Each with whether a request is running on it."""

    async def serve(self, port: int) -> None:
        listening = await asyncio.start_server(self.connection, "127.0.0.1", port)
        await self.ending.wait()
        listening.close()
        for task, busy in list(self.connections.items()):
            if not busy:
                task.cancel()
        await asyncio.gather(*self.connections, return_exceptions=True)

    async def connection(self, reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            while not self.ending.is_set():
                self.connections[task] = False
                head = await reader.readuntil(b"\r\n\r\n")
                self.connections[task] = True
                line, *fields = head.decode().strip().split("\r\n")
                method, path, _ = line.split(" ")
                headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
                await self.answer(f"{method} {path}", headers, reader, writer)
                await writer.drain()
                if "upgrade" in headers:
                    break
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the edge closed a connection that it needs no more, or we end one that idles
        finally:
            self.connections.pop(task, None)
            writer.close()

    async def answer(self, asked: str, headers: Headers, reader: Reader, writer: Writer) -> None:
        match asked:
            case "POST /hash":
                digest = hashlib.sha256()
                async for piece in body(headers, reader):
                    digest.update(piece)
                self.whole(writer, digest.hexdigest().encode())
            case "GET /download":
                await self.download(writer)
            case "GET /events":
                await self.events(writer)
            case "GET /echo":
                await self.echo(headers, reader, writer)
            case _:
                self.whole(writer, self.version.encode())

    def whole(self, writer: Writer, content: bytes) -> None:
        # Said in time, a connection that is closed after this answer is missed by nobody.
        close = b"Connection: close\r\n" if self.ending.is_set() else b""
        writer.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (close, len(content), content))

    async def download(self, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (PIECES * len(PIECE)))
        for _ in range(PIECES):
            writer.write(PIECE)
            await writer.drain()
            await asyncio.sleep(PAUSE)

    async def events(self, writer: Writer) -> None:
        """A tick now and then; on SIGTERM a last event, and the end of the body."""
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
            b"Connection: close\r\n\r\n"
        )
        while not self.ending.is_set():
            writer.write(chunk(b"data: tick\n\n"))
            await writer.drain()
            try:
                async with asyncio.timeout(PAUSE):
                    await self.ending.wait()
            except TimeoutError:
                continue
        writer.write(chunk(b"event: bye\ndata: moved\n\n") + chunk(b""))

    async def echo(self, headers: Headers, reader: Reader, writer: Writer) -> None:
        """A WebSocket (RFC 6455) of small messages; on SIGTERM it is closed with 1001, "going away"."""
        accept = base64.b64encode(
            hashlib.sha1(headers["sec-websocket-key"].encode() + WEBSOCKET_GUID).digest()  # noqa: S324
        )
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
        )
        leaving = asyncio.create_task(self.leave(writer))
        try:
            while True:
                opcode, message = await read_frame(reader)
                if opcode == CLOSE:
                    # Either the client's own, to be answered, or its answer to ours.
                    if not self.ending.is_set():
                        writer.write(frame(CLOSE, message))
                    return
                writer.write(frame(TEXT, message))
        finally:
            leaving.cancel()

    async def leave(self, writer: Writer) -> None:
        await self.ending.wait()
        writer.write(frame(CLOSE, GOING_AWAY))


async def body(headers: Headers, reader: Reader) -> AsyncIterator[bytes]:
    """The pieces of a request's body, as they come."""
    if "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
        return
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readline()
    await reader.readline()


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def frame(opcode: int, message: bytes) -> bytes:
    return bytes([0x80 | opcode, len(message)]) + message


async def read_frame(reader: Reader) -> tuple[int, bytes]:
    """Opcode and content of a frame from a client, whose frames are masked; none here is longer than 125 bytes."""
    first, second = await reader.readexactly(2)
    mask = await reader.readexactly(4)
    masked = await reader.readexactly(second & 0x7F)
    return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))


async def main() -> None:
    server = Server(Path("version").read_text().strip())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.ending.set)
    await server.serve(int(os.environ["PORT"]))


if __name__ == "__main__":
    asyncio.run(main())
