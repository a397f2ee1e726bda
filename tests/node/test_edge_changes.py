"""Routes change while requests and streams go on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from rig.kernel.errors import RigError
from rig.node.edge.caddy import Edge
from rig.node.edge.slots import NOBODY, Route, Slot, access_log
from tests.node.edge_app import serve_app
from tests.node.edges import HELLO, OTHER, answered_more, edge_in, get, kill, loopbacks, route, slots_of
from tests.support import TIMEOUT, until


async def raw(edge: Edge, request: bytes) -> str:
    """The first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(request)
    line = await reader.readline()
    writer.close()
    return line.decode()


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
                    assert await socket.receive_str(timeout=TIMEOUT) == f"other: turn {turn}"
                assert await get(edge, HELLO) == (200, "new")
                assert await edge.in_flight(hello.port) == 1
                assert await edge.in_flight(other.port) == 1
                assert not await edge.drained([hello.port], timeout=0)
                hello.go_on.set()
                assert b"data: 1" in await events.content.read()
            assert await edge.drained([hello.port, other.port], timeout=TIMEOUT)

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
                await until(lambda: answered_more(answers, before + 4), "requests go on")  # noqa: B023
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
                await until(lambda: answered_more(answers, before + 4), "requests go on")  # noqa: B023
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
            async with session.ws_connect(f"http://{loopbacks()[-1]}:{edge.port}/ws", headers={"Host": HELLO}):
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
