"""An edge is started, killed, stopped, and taken over by the next node."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import aiohttp
import msgspec
import pytest

from rig.kernel.errors import RigError
from rig.kernel.processes import alive, start_time
from rig.node.edge.admin import Admin, socket_path
from rig.node.edge.binary import find_caddy
from rig.node.edge.caddy import Edge, EdgeRecord
from rig.node.edge.config import EdgeOptions
from rig.node.sockets import listen
from tests.node.edge_app import serve_app
from tests.node.edges import HELLO, OTHER, edge_in, get, kill, route
from tests.support import free_port, until


def test_killed_caddy_comes_back_as_it_was(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as edge:
            await edge.apply([route(hello)])
            first, port = edge.pid, edge.port
            kill(edge)
            # The node holds the listening sockets: this waits for the new Caddy, and is not refused.
            assert await get(edge, HELLO) == (200, "hello")
            assert edge.pid != first
            assert edge.port == port

    asyncio.run(main())


def test_starting_it_again_is_tried_until_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [RigError("missing_program", "It is being upgraded."), OSError("text file busy")]

    def find() -> Path:
        if failures:
            raise failures.pop()
        return find_caddy()

    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as edge:
            await edge.apply([route(hello)])
            monkeypatch.setattr("rig.node.edge.caddy.find_caddy", find)
            kill(edge)
            assert await get(edge, HELLO) == (200, "hello")
            assert not failures

    asyncio.run(main())


def test_a_killed_caddy_is_noticed_without_pidfd_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    test_killed_caddy_comes_back_as_it_was(tmp_path)


def test_routes_are_applied_even_if_caddy_has_just_died(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as edge:
            kill(edge)
            await edge.apply([route(hello)])
            assert await get(edge, HELLO) == (200, "hello")

    asyncio.run(main())


def test_a_record_that_cannot_be_read_costs_the_routes_only(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "edge").mkdir(mode=0o700)
        (tmp_path / "edge/edge.json").write_text("{")
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as edge:
            assert edge.routes == ()
            await edge.apply([route(hello)])
            assert await get(edge, HELLO) == (200, "hello")

    asyncio.run(main())


def test_the_next_node_takes_the_edge_over(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as first:
            await first.apply([route(hello)])
            await first.close()
            assert await get(first, HELLO) == (200, "hello")
            second = Edge(tmp_path / "edge")
            assert await second.start()
            assert (second.pid, second.port, second.routes) == (first.pid, first.port, first.routes)
            # One that was taken over is brought back too, on the same port.
            kill(second)
            await until(lambda: _serves(second, HELLO), "the second Caddy serves")
            await second.apply([route(hello), route(hello, OTHER)])
            assert await get(second, OTHER) == (200, "hello")
            started = start_time(second.pid)
            await second.stop()
            assert not alive(second.pid, started)

    asyncio.run(main())


async def _serves(edge: Edge, host: str) -> bool:
    try:
        return (await get(edge, host))[0] == 200
    except aiohttp.ClientError:
        return False


def test_another_port_is_served_by_another_caddy(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as first:
            await first.apply([route(hello)])
            await first.close()
            started = start_time(first.pid)
            second = Edge(tmp_path / "edge", EdgeOptions(port=free_port()))
            assert not await second.start()
            try:
                assert not alive(first.pid, started)
                assert second.port != first.port
                assert await get(second, HELLO) == (200, "hello")
            finally:
                await second.stop()

    asyncio.run(main())


def test_stopped_and_started_again_it_serves_the_same_on_the_same_port(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello:
            async with edge_in(tmp_path / "edge") as first:
                await first.apply([route(hello)])
            record = msgspec.json.decode((tmp_path / "edge/edge.json").read_bytes(), type=EdgeRecord)
            assert record.pid == 0
            second = Edge(tmp_path / "edge")
            assert not await second.start()
            try:
                assert second.port == first.port
                assert await get(second, HELLO) == (200, "hello")
            finally:
                await second.stop()

    asyncio.run(main())


def test_admin_is_for_the_user_of_the_node_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with edge_in(tmp_path / "edge"):
            path = Path(socket_path(tmp_path / "edge"))
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            assert await Admin(str(path)).answers()
        assert not path.exists()

    asyncio.run(main())


def test_a_long_home_gets_a_short_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    long = tmp_path / ("x" * 120) / "edge"
    path = Path(socket_path(long))
    assert len(str(path)) <= 100 + len(str(tmp_path))
    assert path.parent.parent == tmp_path
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert socket_path(long) == str(path)
    path.parent.chmod(0o755)
    with pytest.raises(RigError, match="yours alone") as refused:
        socket_path(long)
    assert refused.value.code == "bad_config"


def test_a_taken_port_is_told_or_passed_over(tmp_path: Path) -> None:
    async def main() -> None:
        taken = listen(0)
        try:
            with pytest.raises(RigError, match=str(taken.port)) as refused:
                await Edge(tmp_path / "edge", EdgeOptions(port=taken.port)).start()
            assert refused.value.code == "conflict"
            assert "--port" in refused.value.hint
            other = listen(0, [taken.port])
            other.close()
            assert other.port != taken.port
        finally:
            taken.close()

    asyncio.run(main())


def test_why_a_public_edge_did_not_start_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.create_server(("", 0)) as taken:
            options = EdgeOptions(
                domain="apps.test", tls="internal", http_port=free_port(), https_port=taken.getsockname()[1]
            )
            edge = Edge(tmp_path / "edge", options)
            with pytest.raises(RigError, match="address already in use") as refused:
                await edge.start()
            assert refused.value.code == "conflict"
            assert not alive(edge.pid, start_time(edge.pid))
        with pytest.raises(RigError, match="80 and 443"):
            await Edge(tmp_path / "edge", EdgeOptions(domain="apps.test", tls="acme", port=8080)).start()

    asyncio.run(main())


def test_a_configuration_of_another_version_is_replaced(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as first:
            await first.apply([route(hello)])
            await first.close()
            kept = tmp_path / "edge/caddy.json"
            kept.write_bytes(kept.read_bytes().replace(b"x", b"y"))
            second = Edge(tmp_path / "edge")
            assert await second.start()
            before = kept.read_bytes()
            await second.apply(second.routes)
            assert kept.read_bytes() != before
            assert await get(second, HELLO) == (200, "hello")
            await second.close()

    asyncio.run(main())
