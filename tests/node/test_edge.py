"""The edge, with a real Caddy in front of real applications."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import psutil  # type: ignore[import-untyped]
import pytest

from rig.kernel.errors import RigError
from rig.kernel.processes import alive, start_time
from rig.node.edge.admin import Admin, socket_path
from rig.node.edge.binary import find_caddy
from rig.node.edge.caddy import Edge, EdgeRecord
from rig.node.edge.config import EdgeOptions
from rig.node.edge.slots import NOBODY, Route, Slot, access_log
from rig.node.sockets import listen
from tests.node.edge_app import App, serve_app
from tests.support import until, wait_until

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


def free_port() -> int:
    found = listen(0)
    found.close()
    return found.port


def kill(edge: Edge) -> None:
    """Kill Caddy, and do not let the event loop see it before it has ended."""
    started = start_time(edge.pid)
    os.kill(edge.pid, signal.SIGKILL)
    wait_until(lambda: not alive(edge.pid, started), "Caddy has ended")


def slots_of(edge: Edge) -> tuple[Slot, ...]:
    record = msgspec.json.decode((edge.folder / "edge.json").read_bytes(), type=EdgeRecord)
    return record.slots


async def get(edge: Edge, host: str, path: str = "/", address: str = "127.0.0.1") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}:{edge.port}{path}", headers={"Host": host}) as response,
    ):
        return response.status, await response.text()


def route(app: App, hostname: str = HELLO, *more: App) -> Route:
    return Route(hostname=hostname, app="demo/hello", ports=(app.port, *(each.port for each in more)))


async def raw(edge: Edge, request: bytes) -> str:
    """The first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(request)
    line = await reader.readline()
    writer.close()
    return line.decode()


def test_routes_by_host_on_both_loopbacks(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, serve_app("other") as other, edge_in(tmp_path / "edge") as edge:
            await edge.apply([route(hello), route(other, OTHER)])
            assert await get(edge, HELLO) == (200, "hello")
            assert await get(edge, OTHER) == (200, "other")
            assert await get(edge, f"{HELLO}:{edge.port}", address="[::1]") == (200, "hello")
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
                await asyncio.wait_for(reached.wait(), 20)
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
                        assert await asyncio.wait_for(response.content.readline(), 20) == first
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
            await asyncio.wait_for(hello.left.wait(), 20)

    asyncio.run(main())


def test_requests_are_counted_where_caddy_hides_its_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does with capabilities, which it needs for ports below 1024."""

    def denied(process: psutil.Process, kind: str) -> None:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "net_connections", denied)
    test_a_client_that_leaves_is_noticed_by_the_app(tmp_path)


def test_a_change_leaves_streams_alone(tmp_path: Path) -> None:
    """Of another app, and of this one on the instance that is being replaced."""

    async def main() -> None:
        async with (
            serve_app("hello") as hello,
            serve_app("new") as new,
            serve_app("other") as other,
            edge_in(tmp_path / "edge") as edge,
            aiohttp.ClientSession() as session,
        ):
            await edge.apply([route(hello), route(other, OTHER)])
            base = f"http://127.0.0.1:{edge.port}"
            async with (
                session.ws_connect(f"{base}/ws", headers={"Host": OTHER}) as socket,
                session.get(f"{base}/events", headers={"Host": HELLO}) as events,
            ):
                assert await events.content.readline() == b"data: 0\n"
                for turn in range(3):
                    await edge.apply([route(new if turn % 2 == 0 else hello), route(other, OTHER)])
                    await socket.send_str(f"turn {turn}")
                    assert await socket.receive_str(timeout=20) == f"other: turn {turn}"
                assert await get(edge, HELLO) == (200, "new")
                assert await edge.in_flight(hello.port) == 1
                assert await edge.in_flight(other.port) == 1
                assert not await edge.drained([hello.port], timeout=0)
                hello.go_on.set()
                assert b"data: 1" in await events.content.read()
            assert await edge.drained([hello.port, other.port], timeout=20)

    asyncio.run(main())


def test_no_request_fails_while_routes_change(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            serve_app("one") as one,
            serve_app("two") as two,
            edge_in(tmp_path / "edge") as edge,
        ):
            await edge.apply([route(one)])
            answers: list[tuple[int, str]] = []
            over = asyncio.Event()

            async def ask() -> None:
                while not over.is_set():
                    answers.append(await get(edge, HELLO))

            asking = [asyncio.create_task(ask()) for _ in range(4)]
            for turn in range(20):
                before = len(answers)
                await edge.apply([route(two if turn % 2 == 0 else one)])
                await until(lambda: _longer(answers, before + 4), "requests go on")  # noqa: B023
            over.set()
            await asyncio.gather(*asking)
            assert {status for status, _ in answers} == {200}
            assert {text for _, text in answers} == {"one", "two"}

    asyncio.run(main())


def test_what_the_slots_suffice_for_loads_nothing(tmp_path: Path) -> None:
    """New hostnames, other numbers of instances, an app that stops: all while requests go on."""

    async def main() -> None:
        async with serve_app("one") as one, serve_app("two") as two, edge_in(tmp_path / "edge") as edge:
            await edge.apply([route(one)])
            loaded = (tmp_path / "edge/caddy.json").stat()
            over = asyncio.Event()
            answers: list[tuple[int, str]] = []

            async def ask() -> None:
                # Not asked again by aiohttp itself, as it would a GET on a connection that was closed meanwhile.
                async with aiohttp.ClientSession(f"http://127.0.0.1:{edge.port}") as session:
                    while not over.is_set():
                        async with session.post("/count", headers={"Host": HELLO}, data=b"12") as response:
                            answers.append((response.status, await response.text()))

            asking = [asyncio.create_task(ask()) for _ in range(4)]
            for number in range(6):
                before = len(answers)
                name = f"app{number}.demo.localhost"
                more = [two] * (number % 3)
                await edge.apply([route(one, HELLO, *more), route(two, name)])
                assert await get(edge, name) == (200, "two")
                assert (await get(edge, f"app{number - 1}.demo.localhost"))[0] == 404
                await until(lambda: _longer(answers, before + 4), "requests go on")  # noqa: B023
            over.set()
            await asyncio.gather(*asking)
            assert set(answers) == {(200, "2")}
            await edge.apply([Route(hostname=HELLO, app="demo/hello", idle="stopped")])
            assert (await get(edge, HELLO))[1].startswith("503: demo/hello is stopped.")
            assert (tmp_path / "edge/caddy.json").stat() == loaded

    asyncio.run(main())


def test_more_hostnames_than_there_were_slots_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as edge:
            names = [f"app{number}.demo.localhost" for number in range(edge.options.spare + 3)]
            for count in (1, edge.options.spare, len(names)):
                await edge.apply([route(hello, name) for name in names[:count]])
                for name in (names[0], names[count - 1], names[count - 1].upper()):
                    assert await get(edge, name) == (200, "hello")
            # What is to spare matches nobody, not even those who name no host, or none that there can be.
            assert "404" in await raw(edge, b"GET / HTTP/1.0\r\n\r\n")
            assert "400" in await raw(edge, b"GET / HTTP/1.0\r\nHost: %b\r\n\r\n" % NOBODY.encode())

    asyncio.run(main())


def test_a_quiet_moment_is_taken_for_new_slots(tmp_path: Path) -> None:
    """So that they do not run out when there are requests."""

    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as edge, aiohttp.ClientSession() as session:
            spare = edge.options.spare
            many = [route(hello), *(route(hello, f"app{number}.demo.localhost") for number in range(spare // 2))]

            async def left() -> int:
                await edge.apply(many)
                return sum(not slot.hostname for slot in slots_of(edge))

            async def as_many_as_before() -> bool:
                return await left() == spare

            await edge.apply(many[:1])
            async with session.ws_connect(f"http://[::1]:{edge.port}/ws", headers={"Host": HELLO}):
                assert await left() == spare - len(many)
            await until(as_many_as_before, "the slots are laid out anew")
            assert await get(edge, "app0.demo.localhost") == (200, "hello")

    asyncio.run(main())


def test_a_hostname_that_comes_back_begins_anew(tmp_path: Path) -> None:
    """With a log of its own, be the name among those that Caddy was started with or not."""

    async def main() -> None:
        async with serve_app("first") as first, serve_app("second") as second, edge_in(tmp_path / "edge") as edge:
            log = access_log(tmp_path / "edge", HELLO)

            async def logged(path: str) -> None:
                async def written() -> bool:
                    return log.exists() and path in log.read_text()

                await get(edge, HELLO, path)
                await until(written, f"{path} is in the log")

            for turn in range(3):
                await edge.apply([route(first)])
                await logged(f"/first-{turn}")
                if turn == 1:
                    kill(edge)  # its successor knows the name
                await edge.apply([])
                assert not log.exists()
                assert (await get(edge, HELLO))[0] == 404
                await edge.apply([route(second)])
                assert await get(edge, HELLO) == (200, "second")
                await logged(f"/second-{turn}")
                assert "/first" not in log.read_text()

    asyncio.run(main())


async def _longer(answers: list[tuple[int, str]], than: int) -> bool:
    return len(answers) > than


def test_an_instance_that_is_gone_is_skipped(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("one") as one, serve_app("two") as two, edge_in(tmp_path / "edge") as edge:
            gone = free_port()
            await edge.apply([Route(hostname=HELLO, ports=(gone, one.port, two.port))])
            answers = [await get(edge, HELLO) for _ in range(20)]
            assert {status for status, _ in answers} == {200}
            assert {text for _, text in answers} == {"one", "two"}

    asyncio.run(main())


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
            await second.stop()
            assert not alive(second.pid, 1)

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


def test_routes_that_caddy_refuses_change_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_app("hello") as hello, edge_in(tmp_path / "edge") as edge:
            await edge.apply([route(hello)])
            many = [Route(hostname=f"app{number}.demo.localhost") for number in range(edge.options.spare + 1)]
            # The log of one of the new slots cannot be opened.
            blocked = Slot(id=max(slot.id for slot in slots_of(edge)) + 1).access_log
            (tmp_path / "edge" / blocked).mkdir(parents=True)
            with pytest.raises(RigError, match=r"access\.log") as refused:
                await edge.apply(many)
            assert refused.value.code == "failed"
            assert await get(edge, HELLO) == (200, "hello")
            assert edge.routes == (route(hello),)

    asyncio.run(main())


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
