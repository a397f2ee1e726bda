"""Caddy loads a configuration: what the slots do not suffice for. Streams of other apps go on through it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from rig.node.edge.caddy import Edge
from rig.node.edge.config import EdgeOptions
from rig.node.edge.slots import FEW, Route
from tests.node.edge_app import App, serve_app
from tests.support import TIMEOUT, free_port, until

LOADINGS = 3
Change = Callable[[Edge, App, int], Sequence[Route]]
"""The routes after so many changes, besides those of the app with the streams."""


def many_hostnames(edge: Edge, app: App, changes: int) -> list[Route]:
    return [_route(app, f"app{number}", edge) for number in range(changes * (edge.options.spare + 1))]


def many_instances(edge: Edge, app: App, changes: int) -> list[Route]:
    return [_route(app, "jumping", edge, 1 + changes * 2 * (FEW + 1))]


def one_public_hostname(edge: Edge, app: App, changes: int) -> list[Route]:
    """For each name of a public edge there is a certificate, and it stands in the configuration."""
    return [_route(app, f"app{number}", edge) for number in range(changes)]


def _route(app: App, name: str, edge: Edge, instances: int = 1) -> Route:
    return Route(hostname=f"{name}.demo.{edge.options.domain}", app=f"demo/{name}", ports=(app.port,) * instances)


@asynccontextmanager
async def edge_in(folder: Path, *, public: bool) -> AsyncIterator[Edge]:
    options = EdgeOptions(domain="apps.test", tls="internal", http_port=free_port(), https_port=free_port())
    edge = Edge(folder, options if public else None)
    await edge.start()
    try:
        yield edge
    finally:
        await edge.stop()


class Client:
    """Talks to one app of an edge."""

    def __init__(self, edge: Edge, session: aiohttp.ClientSession, host: str) -> None:
        self._session, self._host = session, host
        self._secret = edge.options.tls != "off"
        self._base = f"{'https' if self._secret else 'http'}://127.0.0.1:{edge.port}"

    def get(self, path: str) -> aiohttp.client._RequestContextManager:
        return self._session.get(self._base + path, headers={"Host": self._host}, server_hostname=self._name)

    def websocket(self) -> aiohttp.client._WSRequestContextManager:
        return self._session.ws_connect(f"{self._base}/ws", headers={"Host": self._host}, server_hostname=self._name)

    @property
    def _name(self) -> str | None:
        return self._host if self._secret else None

    async def serves(self) -> bool:
        """Whether it is answered, by TLS where there is such."""
        try:
            async with self.get("/") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


@pytest.mark.parametrize("change", [many_hostnames, many_instances, one_public_hostname])
def test_streams_of_another_app_go_on_while_caddy_loads(change: Change, tmp_path: Path) -> None:
    public = change is one_public_hostname

    async def main() -> None:
        async with AsyncExitStack() as stack:
            app, other = [await stack.enter_async_context(serve_app(name)) for name in ("app", "other")]
            edge = await stack.enter_async_context(edge_in(tmp_path / "edge", public=public))
            connector = aiohttp.TCPConnector(ssl=False)
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            theirs = _route(other, "other", edge)
            await edge.apply([theirs])
            client = Client(edge, session, theirs.hostname)
            await until(client.serves, "the other app is served")

            socket = await stack.enter_async_context(client.websocket())
            events = await stack.enter_async_context(client.get("/events"))
            download = await stack.enter_async_context(client.get("/trickle"))
            assert await events.content.readline() == b"data: 0\n"
            assert await download.content.readline() == b"first line\n"
            for changes in range(1, LOADINGS + 1):
                before = (edge.folder / "caddy.json").stat()
                await edge.apply([theirs, *change(edge, app, changes)])
                assert (edge.folder / "caddy.json").stat() != before, "nothing was loaded"
                await socket.send_str(f"after {changes}")
                assert await socket.receive_str(timeout=TIMEOUT) == f"other: after {changes}"
            assert await edge.in_flight(other.port) >= 3
            other.go_on.set()
            assert b"data: 1" in await events.content.read()
            assert await download.content.read() == b"later line\n"
            await socket.send_str("still here")
            assert await socket.receive_str(timeout=TIMEOUT) == "other: still here"

    asyncio.run(main())


@pytest.mark.needs("curl")
def test_streams_over_http_2_go_on_too(tmp_path: Path) -> None:
    """As browsers ask a public edge: several requests on one connection, which is told to end and drains."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            app, other = [await stack.enter_async_context(serve_app(name)) for name in ("app", "other")]
            edge = await stack.enter_async_context(edge_in(tmp_path / "edge", public=True))
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)))
            theirs = _route(other, "other", edge)
            await edge.apply([theirs])
            await until(Client(edge, session, theirs.hostname).serves, "the other app is served")
            curl = await asyncio.create_subprocess_exec(
                shutil.which("curl") or "curl",
                *("--silent", "--insecure", "--no-buffer", "--http2", "--write-out", "HTTP/%{http_version}"),
                *("--resolve", f"{theirs.hostname}:{edge.port}:127.0.0.1"),
                f"https://{theirs.hostname}:{edge.port}/events",
                stdout=subprocess.PIPE,
            )
            assert curl.stdout is not None
            try:
                assert await curl.stdout.readline() == b"data: 0\n"
                for changes in range(1, LOADINGS + 1):
                    await edge.apply([theirs, *one_public_hostname(edge, app, changes)])
                other.go_on.set()
                assert await curl.stdout.read() == b"\ndata: 1\n\nHTTP/2"
                assert await curl.wait() == 0
            finally:
                if curl.returncode is None:
                    curl.kill()

    asyncio.run(main())
