"""The edge, with a real Caddy in front of real applications: what is asked for, and what comes of it."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil  # type: ignore[import-untyped]
import pytest

from rig.node.edge.caddy import Edge
from rig.node.edge.config import EdgeOptions
from rig.node.edge.slots import Route, access_log
from tests.node.edge_app import serve_app
from tests.node.edges import HELLO, OTHER, edge_in, get, loopbacks, route
from tests.support import TIMEOUT, free_port, until


def test_routes_by_host_on_both_loopbacks(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, serve_app("other") as other, edge_in(tmp_path / "edge") as edge:
            await edge.apply([route(hello), route(other, OTHER)])
            assert await get(edge, HELLO) == (200, "hello")
            assert await get(edge, OTHER) == (200, "other")
            for address in loopbacks():
                assert await get(edge, f"{HELLO}:{edge.port}", address=address) == (200, "hello")
            assert edge.url(HELLO) == f"http://{HELLO}:{edge.port}"

    asyncio.run(main())


def test_pages_where_no_app_answers(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as edge:
            gone = free_port()
            await edge.apply(
                [
                    Route(hostname=HELLO, app="demo/hello"),
                    Route(hostname=OTHER, app="demo/other", idle="stopped"),
                    Route(hostname="broken.demo.localhost", app="demo/broken", ports=(gone,)),
                ]
            )
            status, text = await get(edge, "nobody.demo.localhost")
            assert status == 404
            assert "nobody.demo.localhost" in text
            assert "rig list apps" in text
            status, text = await get(edge, HELLO)
            assert status == 503
            assert "rig deploy --app demo/hello" in text
            status, text = await get(edge, OTHER)
            assert status == 503
            assert "rig start demo/other" in text
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{edge.port}", headers={"Host": "broken.demo.localhost"}) as response,
            ):
                assert response.status == 502
                assert response.headers["Retry-After"] == "5"
                assert "does not answer" in await response.text()
            # The app's own failures are not touched.
            await edge.apply([route(hello)])
            assert await get(edge, HELLO, "/status/500") == (500, "own page")

    asyncio.run(main())


def test_the_app_learns_who_asked(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as edge:
            await edge.apply([route(hello)])
            async with aiohttp.ClientSession() as session:
                forged = {"Host": HELLO, "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
                async with session.get(f"http://127.0.0.1:{edge.port}/headers", headers=forged) as response:
                    seen = await response.json()
            assert seen["Host"] == HELLO
            assert seen["X-Forwarded-For"] == "127.0.0.1"
            assert seen["X-Forwarded-Proto"] == "http"
            assert seen["X-Forwarded-Host"] == HELLO

    asyncio.run(main())


def test_bodies_stream_in_both_directions(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as edge:
            await edge.apply([route(hello)])
            reached = hello.received
            chunk = b"x" * 65536

            async def body() -> AsyncIterator[bytes]:
                yield chunk
                # The app has the first piece before the last one is sent.
                await asyncio.wait_for(reached.wait(), TIMEOUT)
                for _ in range(200):
                    yield chunk

            async with aiohttp.ClientSession() as session:
                async with session.post(
                    f"http://127.0.0.1:{edge.port}/count", headers={"Host": HELLO}, data=body()
                ) as response:
                    assert await response.text() == str(201 * len(chunk))
                for path, first in (("/events", b"data: 0\n"), ("/trickle", b"first line\n")):
                    async with session.get(f"http://127.0.0.1:{edge.port}{path}", headers={"Host": HELLO}) as response:
                        # The app holds the rest back until it is told.
                        assert await asyncio.wait_for(response.content.readline(), TIMEOUT) == first
                        hello.go_on.set()
                        await response.read()
                        hello.go_on.clear()

    asyncio.run(main())


def test_a_client_that_leaves_is_noticed_by_the_app(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as edge:
            await edge.apply([route(hello)])
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{edge.port}/events", headers={"Host": HELLO}) as response,
            ):
                await response.content.readline()
                assert await edge.in_flight(hello.port) == 1
                response.close()
            await asyncio.wait_for(hello.left.wait(), TIMEOUT)

    asyncio.run(main())


def test_requests_are_counted_where_caddy_hides_its_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does with capabilities, which it needs for ports below 1024."""

    def denied(process: psutil.Process, kind: str) -> None:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "net_connections", denied)
    test_a_client_that_leaves_is_noticed_by_the_app(tmp_path)


def test_an_instance_that_is_gone_is_skipped(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("one") as one, serve_app("two") as two, edge_in(tmp_path / "edge") as edge:
            gone = free_port()
            await edge.apply([Route(hostname=HELLO, ports=(gone, one.port, two.port))])
            answers = [await get(edge, HELLO) for _ in range(20)]
            assert {status for status, _ in answers} == {200}
            assert {text for _, text in answers} == {"one", "two"}

    asyncio.run(main())


def test_access_log_per_app_without_credentials(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as edge:
            await edge.apply([route(hello)])
            async with aiohttp.ClientSession() as session:
                headers = {"Host": HELLO, "Authorization": "Bearer canary", "Cookie": "session=canary"}
                async with session.get(f"http://127.0.0.1:{edge.port}/seen", headers=headers) as response:
                    assert response.status == 404
            path = access_log(tmp_path / "edge", HELLO)

            async def written() -> bool:
                return path.exists() and b"/seen" in path.read_bytes()

            await until(written, "the access log has the request")
            assert b"canary" not in path.read_bytes()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert b"/seen" not in (tmp_path / "edge/edge.log").read_bytes()
            # The next owner of the name must not read it.
            await edge.apply([])
            assert not path.exists()

    asyncio.run(main())


def test_https_with_its_own_authority(tmp_path: Path) -> None:
    async def main() -> None:
        plain = free_port()
        options = EdgeOptions(domain="apps.test", tls="internal", http_port=plain, https_port=free_port())
        edge = Edge(tmp_path / "edge", options)
        async with serve_app("hello") as hello:
            await edge.start()
            try:
                await edge.apply([route(hello, "hello.demo.apps.test")])
                await until(lambda: _https(edge, "hello.demo.apps.test"), "served with a certificate")
                async with (
                    aiohttp.ClientSession() as session,
                    session.get(
                        f"http://127.0.0.1:{plain}/x",
                        headers={"Host": "hello.demo.apps.test"},
                        allow_redirects=False,
                    ) as response,
                ):
                    assert response.status in (301, 308)
                    assert response.headers["Location"].startswith("https://hello.demo.apps.test")
            finally:
                await edge.stop()

    asyncio.run(main())


async def _https(edge: Edge, host: str) -> bool:
    """Whether the host is served over TLS, the certificate being its own."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:
        try:
            async with session.get(
                f"https://127.0.0.1:{edge.port}/", headers={"Host": host}, server_hostname=host
            ) as response:
                return response.status == 200 and await response.text() == "hello"
        except aiohttp.ClientError:
            return False
