"""Deciding whether a new instance is ready, and saying precisely why it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import msgspec
from yarl import URL

from rig.contract.project import HealthConfig
from rig.kernel.errors import RigError
from rig.node.runtime.driver import ExitStatus

POLL = 0.05
"""Seconds between two looks at a port that does not listen yet: most of what a deployment waits for."""
LOOK = 0.2
"""Seconds between two looks at what else the instance listens on."""
FIRST_PAUSE = 0.1
"""After a first bad answer; doubled up to the configured interval."""
ANSWER_TIMEOUT = 15.0
"""Seconds for one answer. A first request may have to warm the app up."""
ELSEWHERE_SHARE = 4
"""An app that after this part of its time listens on other ports alone is on the wrong one. Not sooner: it may open one
for metrics or a debugger first."""
HEADER_LIMIT = 32 * 1024
EXCERPT = 200
"""Bytes of a bad answer that are shown."""

HOST = "127.0.0.1"
"""Where the edge connects to. Not ``localhost``: on ::1 another app could take the same port."""

REACHABLE = frozenset({"0.0.0.0", "::", HOST, f"::ffff:{HOST}"})  # noqa: S104 (addresses to recognise, not to bind)

ExitProbe = Callable[[], ExitStatus | None]


class Answer(msgspec.Struct, frozen=True):
    """What one request to the instance gave; ``status`` 0 where it was no HTTP."""

    status: int = 0
    excerpt: str = ""
    problem: str = ""


class Listener(msgspec.Struct, frozen=True, order=True):
    """A TCP socket on which a process of the instance listens."""

    port: int
    address: str

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


async def wait_ready(
    port: int, config: HealthConfig, *, pids: Callable[[], list[int]], exited: ExitProbe, hostname: str
) -> None:
    """Return when the instance on ``port`` is ready, as ``config`` defines it; ``hostname`` is sent as ``Host``.

    ``pids`` are the instance's processes as the host sees them, ``exited`` how its run ended, if it has. Raises
    `RigError`: ``app_crashed`` where it ended, ``wrong_port`` where it listens elsewhere or somebody else has the port,
    ``unhealthy`` where it did not listen, or answer well, within ``config.timeout`` seconds.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    look_elsewhere = began + config.timeout / ELSEWHERE_SHARE
    last: Answer | None = None
    pause = FIRST_PAUSE
    while (left := began + config.timeout - loop.time()) > 0:
        _raise_if_ended(exited)
        wait = POLL
        answer = await _ask(port, config.path or "/", hostname, min(left, ANSWER_TIMEOUT))
        if answer is not None and not _good(answer, config):
            last = answer
            wait, pause = pause, min(pause * 2, config.interval)
        elif answer is not None or (last is None and loop.time() >= look_elsewhere):
            # To ask for the pids is to look at all processes: neither is for the event loop.
            listeners = await asyncio.to_thread(lambda: _listeners(pids()))
            ours = listeners is None or any(each.port == port for each in listeners)
            if answer is not None and ours:
                return
            if loop.time() >= look_elsewhere and not _reachable(listeners, port):
                _raise_if_ended(exited)
                if answer is not None or listeners:
                    raise _wrong_port(port, listeners or [], taken=answer is not None)
            wait = LOOK
        await asyncio.sleep(min(wait, left))
    _raise_if_ended(exited)
    raise _timed_out(port, config, last)


async def wait_alive(exited: ExitProbe, seconds: float) -> None:
    """Return when ``seconds`` have passed and the run has not ended: all that can be asked of a process without HTTP.

    Raises `RigError` ``app_crashed``.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        _raise_if_ended(exited)
        left = deadline - loop.time()
        if left <= 0:
            return
        await asyncio.sleep(min(POLL, left))


async def _ask(port: int, path: str, hostname: str, timeout: float) -> Answer | None:
    """One GET, redirects not followed; None where nobody listens."""
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                timeout=aiohttp.ClientTimeout(total=timeout),
                max_line_size=HEADER_LIMIT,
                max_field_size=HEADER_LIMIT,
            ) as session,
            session.get(
                URL(f"http://{HOST}:{port}{path}", encoded=True),
                headers={"Host": hostname, "User-Agent": "rig-health"},
                allow_redirects=False,
            ) as response,
        ):
            return Answer(status=response.status, excerpt=_printable(await response.content.read(EXCERPT)))
    except aiohttp.ClientConnectorError:
        return None
    except TimeoutError:
        return Answer(problem=f"gave no answer within {timeout:.0f} s")
    except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, ConnectionError):
        return Answer(problem="closed the connection without an answer")
    except aiohttp.ClientError:
        return Answer(problem="gave an answer that is not HTTP")


def _good(answer: Answer, config: HealthConfig) -> bool:
    if not config.path:
        return 0 < answer.status < 500
    return 200 <= answer.status < 400


def _printable(data: bytes) -> str:
    """Somebody else's bytes, safe for a terminal and a log line."""
    text = data.decode(errors="replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _listeners(pids: list[int]) -> list[Listener] | None:
    """Where these processes listen; None where the system does not let us see."""
    import psutil  # type: ignore[import-untyped]

    found: set[Listener] = set()
    for pid in pids:
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            return None
        found |= {Listener(each.laddr.port, each.laddr.ip) for each in connections if each.status == psutil.CONN_LISTEN}
    return sorted(found)


def _reachable(listeners: list[Listener] | None, port: int) -> bool:
    """Whether one of them can be connected to from the edge."""
    addresses = {each.address for each in listeners or () if each.port == port}
    return not addresses.isdisjoint(REACHABLE)


def _raise_if_ended(exited: ExitProbe) -> None:
    status = exited()
    if status is not None:
        raise RigError(
            "app_crashed",
            f"The process ended while it was starting ({status}).",
            "Its last lines say why. A web process has to keep running and to listen on the port in PORT.",
            exit_code=status.code,
            signal=status.signal,
        )


def _wrong_port(port: int, listeners: list[Listener], *, taken: bool) -> RigError:
    where = ", ".join(map(str, listeners))
    if taken:
        message = f"The app does not listen on $PORT ({port}): another program has that port."
        return RigError("wrong_port", message, "Deploy again; the app then gets another port.", port=port)
    if any(each.port == port for each in listeners):
        message = f"The app listens on {where} only, where the edge cannot reach it: it connects to {HOST}:{port}."
        hint = "Listen on 0.0.0.0 (all IPv4 addresses) or 127.0.0.1, and on the port in PORT."
    else:
        message = f"The app listens on {where}, not on $PORT ({port})."
        hint = "Listen on the port in the environment variable PORT, as in `gunicorn --bind 0.0.0.0:$PORT app:app`."
    return RigError("wrong_port", message, hint, port=port, listens=[str(each) for each in listeners])


def _timed_out(port: int, config: HealthConfig, last: Answer | None) -> RigError:
    if last is None:
        return RigError(
            "unhealthy",
            f"The app did not listen on $PORT ({port}) within {config.timeout} s.",
            "Listen on the port in the environment variable PORT, or give it longer: `[health] timeout` in rig.toml.",
            port=port,
        )
    path = config.path or "/"
    if not last.status:
        message = f"`GET {path}` {last.problem}, for {config.timeout} s."
    else:
        wanted = "2xx or 3xx" if config.path else "less than 500"
        message = f"`GET {path}` answered {last.status} for {config.timeout} s, and has to answer {wanted}."
        if last.excerpt:
            message += f" It said: {last.excerpt}"
    return RigError(
        "unhealthy",
        message,
        "Mend what answers there, or change `[health]` (path, timeout) in rig.toml.",
        status=last.status,
        path=path,
    )
