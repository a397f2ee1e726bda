"""Edges with a real Caddy, for tests, and those who ask them."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec

from rig.kernel.processes import alive, start_time
from rig.node.edge.caddy import Edge, EdgeRecord
from rig.node.edge.config import EdgeOptions
from rig.node.edge.slots import Route, Slot
from rig.node.sockets import listen
from tests.node.edge_app import App
from tests.support import free_port, wait_until

HELLO, OTHER = "hello.demo.localhost", "other.demo.localhost"


@asynccontextmanager
async def edge_in(folder: Path) -> AsyncIterator[Edge]:
    """An edge on a free port of its own, ended afterwards."""
    edge = Edge(folder, EdgeOptions(port=free_port(), patience=1))
    await edge.start()
    try:
        yield edge
    finally:
        await edge.stop()


def kill(edge: Edge) -> None:
    """Kill Caddy, and do not let the event loop see it before it has ended."""
    started = start_time(edge.pid)
    os.kill(edge.pid, signal.SIGKILL)
    wait_until(lambda: not alive(edge.pid, started), "Caddy has ended")


def slots_of(edge: Edge) -> tuple[Slot, ...]:
    record = msgspec.json.decode((edge.folder / "edge.json").read_bytes(), type=EdgeRecord)
    return record.slots


def loopbacks() -> list[str]:
    """The addresses of this machine for itself: some have no IPv6."""
    found = listen(0)
    found.close()
    return ["127.0.0.1", "[::1]"][: len(found.sockets)]


async def get(edge: Edge, host: str, path: str = "/", address: str = "127.0.0.1") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}:{edge.port}{path}", headers={"Host": host}) as response,
    ):
        return response.status, await response.text()


def route(app: App, hostname: str = HELLO, *more: App) -> Route:
    return Route(hostname=hostname, app="demo/hello", ports=(app.port, *(each.port for each in more)))


async def answered_more(answers: list[tuple[int, str]], than: int) -> bool:
    """Whether so many requests and more have their answers."""
    return len(answers) > than
