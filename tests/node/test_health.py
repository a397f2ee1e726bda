"""When an instance counts as ready, and what is said when it does not: real processes, real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from rig.contract.project import HealthConfig
from rig.kernel.errors import RigError
from rig.node.health import wait_alive, wait_ready
from rig.node.runtime.driver import ExitStatus
from tests.node.edge_app import serve_app
from tests.node.edges import loopbacks
from tests.support import free_port, pass_time

HOSTNAME = "hello.demo.localhost"
PATIENT = HealthConfig(timeout=3600)

SERVER = """
import http.server, socket, sys
family, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
class Server(http.server.HTTPServer):
    address_family = getattr(socket, family)
Server((host, port), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def own_pids() -> list[int]:
    return [os.getpid()]


def running() -> None:
    return None


class GivenUp:
    """A run that does not end. When a condition is met, all the time passes that the instance is given."""

    def __init__(self, condition: Callable[[], bool]) -> None:
        self._condition = condition
        self._passed = False

    def __call__(self) -> None:
        if not self._passed and self._condition():
            self._passed = True
            pass_time(PATIENT.timeout)


def given_up_soon() -> GivenUp:
    """Given up after its first answer."""
    looks = iter((False, True))
    return GivenUp(lambda: next(looks))


def listening(family: socket.AddressFamily, host: str, port: int) -> bool:
    with socket.socket(family) as client:
        return client.connect_ex((host, port)) == 0


def ready(
    port: int, config: HealthConfig = PATIENT, pids: list[int] | None = None, exited: Callable[[], None] = running
) -> None:
    asyncio.run(
        wait_ready(port, config, pids=own_pids if pids is None else lambda: pids, exited=exited, hostname=HOSTNAME)
    )


@contextmanager
def program(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", *argv], stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def test_processes_are_not_looked_for_on_the_event_loop() -> None:
    """To list those of a busy machine takes a while, in which nobody else would be served."""
    looked: list[threading.Thread] = []

    def pids() -> list[int]:
        looked.append(threading.current_thread())
        return own_pids()

    async def main() -> None:
        async with serve_app("hello") as app:
            await wait_ready(app.port, PATIENT, pids=pids, exited=running, hostname=HOSTNAME)

    asyncio.run(main())
    assert looked
    assert threading.main_thread() not in looked


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("", True),
        ("/status/204", True),
        ("/status/302", True),
        ("/status/404", False),
        ("/status/500", False),
    ],
)
def test_a_path_has_to_answer_2xx_or_3xx(path: str, good: bool) -> None:
    async def main() -> None:
        async with serve_app("hello") as app:
            config = replace(PATIENT, path=path)
            exited = running if good else given_up_soon()
            check = wait_ready(app.port, config, pids=own_pids, exited=exited, hostname=HOSTNAME)
            if good:
                await check
                return
            with pytest.raises(RigError, match=path.rpartition("/")[2]) as failed:
                await check
            assert failed.value.code == "unhealthy"
            assert "own page" in failed.value.message
            assert failed.value.details["status"] == int(path.rpartition("/")[2])

    asyncio.run(main())


def test_without_a_path_not_found_will_do() -> None:
    port = free_port()
    with program(SERVER, "AF_INET", "127.0.0.1", str(port)) as child:
        ready(port, pids=[child.pid])


def test_an_app_that_takes_its_time_is_waited_for() -> None:
    async def main() -> None:
        port = free_port()
        check = asyncio.create_task(wait_ready(port, PATIENT, pids=own_pids, exited=running, hostname=HOSTNAME))
        async with serve_app("late", port=port):
            await check

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "words"), [(ExitStatus(code=3), "exit 3"), (ExitStatus(code=-1, signal=9), "SIGKILL")]
)
def test_a_process_that_ended_is_told_at_once(status: ExitStatus, words: str) -> None:
    async def main() -> None:
        check = wait_ready(free_port(), PATIENT, pids=list, exited=lambda: status, hostname=HOSTNAME)
        with pytest.raises(RigError, match=words) as failed:
            await check
        assert failed.value.code == "app_crashed"

    asyncio.run(main())


def test_the_wrong_port_is_named() -> None:
    wanted, other = free_port(), free_port()
    with (
        program(SERVER, "AF_INET", "127.0.0.1", str(other)) as child,
        pytest.raises(RigError, match=rf"listens on 127\.0\.0\.1:{other}, not on \$PORT \({wanted}\)") as failed,
    ):
        ready(wanted, pids=[child.pid], exited=GivenUp(lambda: listening(socket.AF_INET, "127.0.0.1", other)))
    assert failed.value.code == "wrong_port"
    assert "PORT" in failed.value.hint


@pytest.mark.skipif(len(loopbacks()) < 2, reason="the machine has no IPv6")
def test_listening_on_ipv6_alone_is_told() -> None:
    port = free_port()
    with (
        program(SERVER, "AF_INET6", "::1", str(port)) as child,
        pytest.raises(RigError, match=rf"\[::1\]:{port} only") as failed,
    ):
        ready(port, pids=[child.pid], exited=GivenUp(lambda: listening(socket.AF_INET6, "::1", port)))
    assert failed.value.code == "wrong_port"
    assert "127.0.0.1" in failed.value.hint


def test_a_port_that_somebody_else_answers_on_is_not_taken_for_the_app() -> None:
    async def main() -> None:
        async with serve_app("somebody else") as app:
            with program("import sys; sys.stdin.read()") as child:
                with pytest.raises(RigError, match="another program") as failed:
                    await wait_ready(
                        app.port, PATIENT, pids=lambda: [child.pid], exited=given_up_soon(), hostname=HOSTNAME
                    )
                assert failed.value.code == "wrong_port"

    asyncio.run(main())


def test_never_listening_is_told() -> None:
    port = free_port()
    with program("import signal; signal.pause()") as child, pytest.raises(RigError, match=str(port)) as failed:
        ready(port, pids=[child.pid], exited=given_up_soon())
    assert failed.value.code == "unhealthy"
    assert "[health] timeout" in failed.value.hint


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-hello\r\n\r\n", "not HTTP"),
        (b"", "without an answer"),
        (b"HTTP/1.1 503 no\r\nContent-Length: 15\r\n\r\n\x1b[31mred\x07 alert", "red alert"),
    ],
)
def test_bad_answers_are_described_and_harmless(answer: bytes, words: str) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(reply, "127.0.0.1", 0)
        async with server:
            with pytest.raises(RigError, match=words) as failed:
                await wait_ready(
                    server.sockets[0].getsockname()[1],
                    PATIENT,
                    pids=own_pids,
                    exited=given_up_soon(),
                    hostname=HOSTNAME,
                )
        assert failed.value.code == "unhealthy"
        assert failed.value.message.isprintable()

    asyncio.run(main())


def test_silence_is_described() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(RigError, match="no answer within 1 s"):
        ready(silent.getsockname()[1], HealthConfig(timeout=1))


def test_a_process_without_http_has_to_stay_alive() -> None:
    async def main() -> None:
        await wait_alive(running, 0.1)
        with pytest.raises(RigError, match="exit 1") as failed:
            await wait_alive(lambda: ExitStatus(code=1), 3600)
        assert failed.value.code == "app_crashed"

    asyncio.run(main())
