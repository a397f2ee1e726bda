"""HTTP to a Max platform, with the standard library: one request at a time, a connection for each thread.

aiohttp would cost half of a command's time budget to import.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from rig.kernel.errors import RigError

MAX_ANSWER = 64 * 1024 * 1024


class Patience(NamedTuple):
    """How long to wait for what, in seconds. Nothing that a server does, or leaves undone, holds rig for ever."""

    connect: float = 10.0
    silence: float = 45.0
    """For the next byte to come or go; the platform holds an answer back for half a minute at most."""
    answer: float = 180.0
    """For a whole answer, from the end of its request."""
    retries: float = 30.0
    """For another try of a repeatable request after a passing failure to make sense; 0: there is none."""


PATIENCE = Patience()
BRIEF = Patience(connect=5.0, silence=5.0, answer=5.0, retries=0.0)
"""For what is asked on the way, by a command that can do without."""

_FINAL = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
"""Nobody listens, nobody is called so, or somebody else answers: waiting would only hide it."""

_LOOPBACK_V4 = re.compile(r"127(\.[0-9]{1,3}){3}")

Body = bytes | Iterable[bytes] | None
Answer = tuple[int, Mapping[str, str], bytes]


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine, by its form alone (RFC 6761 for ``localhost``)."""
    return host in {"localhost", "::1"} or host.endswith(".localhost") or _LOOPBACK_V4.fullmatch(host) is not None


def parse_base(url: str) -> SplitResult:
    """The address of a platform. Raises `RigError` ``usage`` for what is none, and for plain HTTP off this machine."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        named = _can_be_host(parts.hostname or "") and parts.port != 0
    except ValueError:  # brackets that do not match, a port or a name that is none
        named = False
    if not named or parts.scheme not in {"http", "https"} or parts.username or parts.query or parts.fragment:
        raise RigError("usage", f"`{url}` is not the address of a platform.", "Give it as https://max.example.com.")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise RigError(
            "usage",
            f"rig sends no token over plain HTTP, and `{url}` is not on this machine.",
            f"Use https://{parts.netloc}, or forward a local port to it through SSH.",
        )
    return parts


def _can_be_host(host: str) -> bool:
    """Whether a name server could be asked for it. Raises `ValueError`."""
    if not host.isascii():
        host.encode("idna")
    return all(0 < len(label) < 64 for label in host.removesuffix(".").split("."))


class HttpTransport:
    """Requests to one platform. Thread-safe: each thread has a connection of its own, which is kept open.

    ``token`` gives the access token; it is called with True after a 401, once, for a fresh one.
    """

    def __init__(
        self,
        base: str,
        token: Callable[[bool], str] | None = None,
        *,
        user_agent: str = "rig",
        patience: Patience | None = None,
    ) -> None:
        self._base = parse_base(base)
        self._token = token
        self._user_agent = user_agent
        self._patience = patience or PATIENCE
        self._local = threading.local()

    def with_patience(self, patience: Patience, token: Callable[[bool], str]) -> HttpTransport:
        """The same platform by the same connections, for requests that are waited for as long as ``patience`` says."""
        other = copy(self)
        other._patience, other._token = patience, token
        return other

    def request(self, method: str, path: str, body: Body, headers: Mapping[str, str]) -> Answer:
        """Send one request; gives status, headers (lower-case names) and body, whatever the status.

        Repeatable requests (GET, DELETE, or any with an Idempotency-Key) are tried again after a lost connection, and
        after 429 and 503 as Retry-After says: as long as there is patience for it, and once however late it is by then.
        Raises `RigError` ``unreachable``, ``unclear`` where a change was sent and its answer was not received.
        """
        streamed = body is not None and not isinstance(body, bytes)
        repeatable = not streamed and (method in {"GET", "DELETE"} or "Idempotency-Key" in headers)
        deadline = time.monotonic() + self._patience.retries
        pause, renewed, sent, tries = 0.1, False, False, 0
        while True:
            tries += 1
            try:
                all_headers = self._headers(headers, renew=renewed)
                connection = self._connection()
                sent = True
                status, answered, content = self._once(connection, method, path, body, all_headers)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                late = time.monotonic() + pause > deadline and (tries > 1 or not self._patience.retries)
                if not repeatable or late or isinstance(error, _FINAL):
                    raise self._unreachable(error, sent=sent, change="Idempotency-Key" in headers) from error
                wait = pause
            except BaseException:
                # Ctrl-C may have struck between a request and its answer: the next request must not get that answer.
                self.close()
                raise
            else:
                if status == 401 and self._token and not renewed and not streamed:
                    renewed = True
                    continue
                if status not in {429, 503} or not repeatable:
                    return status, answered, content
                wait = max(pause, retry_after(answered))
                if wait > self._patience.retries or (tries > 1 and time.monotonic() + wait > deadline):
                    return status, answered, content
            time.sleep(wait)
            pause = min(pause * 2, 5.0)

    def _headers(self, headers: Mapping[str, str], *, renew: bool) -> dict[str, str]:
        sent = {"Host": self._base.netloc, "User-Agent": self._user_agent, "Accept": "application/json", **headers}
        if self._token and "Authorization" not in sent:
            token = self._token(renew)
            if token:
                sent["Authorization"] = f"Bearer {token}"
        return sent

    def _once(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: Body, headers: dict[str, str]
    ) -> Answer:
        chunked = body is not None and not isinstance(body, bytes)
        if chunked:
            headers["Transfer-Encoding"] = "chunked"
        try:
            connection.request(
                method, self._base.path.rstrip("/") + path, body=body, headers=headers, encode_chunked=chunked
            )
        except (BrokenPipeError, ConnectionResetError):
            # The node may have refused early and closed; its answer then says more than the broken pipe.
            if connection.sock is None:
                raise
        response = connection.getresponse()
        content = response.read(MAX_ANSWER + 1)
        if len(content) > MAX_ANSWER:
            raise http.client.HTTPException(f"its answer is larger than {MAX_ANSWER} bytes")
        if response.length:  # read(n) gives what there is, even if the connection was cut
            raise http.client.IncompleteRead(content, response.length)
        return response.status, {name.lower(): value for name, value in response.getheaders()}, content

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's connection, open."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            host = self._base.hostname or ""
            # `*.localhost` does not resolve everywhere, so what means this machine is reached by its number.
            address = "127.0.0.1" if host == "localhost" or host.endswith(".localhost") else host
            if self._base.scheme == "https":
                context = ssl.create_default_context()
                connection = http.client.HTTPSConnection(address, self._base.port, context=context)
            else:
                connection = http.client.HTTPConnection(address, self._base.port)
            self._local.connection = connection
        patience = self._patience
        # What typeshed calls a class is a callable.
        connection.response_class = lambda sock, **options: _Answer(sock, patience, **options)  # type: ignore[assignment]
        if connection.sock is None:
            connection.timeout = patience.connect
            connection.connect()
        connection.sock.settimeout(patience.silence)
        return connection

    def close(self) -> None:
        """Close this thread's connection; the next request opens a new one."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _unreachable(self, error: Exception, *, sent: bool, change: bool) -> RigError:
        url = f"{self._base.scheme}://{self._base.netloc}"
        # Of an error of the system its words alone; the number is for programs.
        reason = str(getattr(error, "strerror", None) or error).rstrip(".") or type(error).__name__
        here = is_loopback(self._base.hostname or "")
        if not sent:
            hint = "Start it with `rig node start`." if here else "Check the address and the network."
            return RigError("unreachable", f"{url} cannot be reached: {reason}.", hint)
        look = "See `rig node status`." if here else "Check the address and the network."
        doubt = "Whether it was carried out is not known: look before you repeat it. " if change else ""
        lost = RigError("unreachable", f"No whole answer came from {url}: {reason}.", doubt + look)
        lost.unclear = change
        return lost


class _Answer(http.client.HTTPResponse):
    """An answer that has to be here in time: a byte now and then is no answer."""

    def __init__(self, sock: socket.socket, patience: Patience, **options: Any) -> None:
        super().__init__(sock, **options)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, patience))


class _Timed(io.RawIOBase):
    """What comes from a socket, until the time is up."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, patience: Patience) -> None:
        self._raw = raw
        self._sock = sock
        self._silence = patience.silence
        self._deadline = time.monotonic() + patience.answer

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(min(self._silence, left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait (RFC 9110, section 10.2.3, the number form); 0 where it says nothing."""
    text = headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0
