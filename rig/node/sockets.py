"""Listening sockets of the node, bound before anybody is told of them."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

import msgspec

from rig.kernel.errors import RigError

BACKLOG = 1024


class Listening(msgspec.Struct, frozen=True):
    """Sockets that listen on one port: on 127.0.0.1, and on ::1 where the machine has IPv6."""

    port: int
    sockets: tuple[socket.socket, ...]

    def close(self) -> None:
        for each in self.sockets:
            each.close()


def listen(explicit: int, likely: Iterable[int] = (), *, flag: str = "--port") -> Listening:
    """Listen on both loopbacks: on ``explicit``, or where that is 0 on the first of ``likely`` that is free, else any.

    Raises `RigError` ``conflict`` where ``explicit`` is taken, ``forbidden`` where it needs more rights.
    """
    if explicit:
        try:
            return _both(explicit)
        except PermissionError as error:
            raise RigError(
                "forbidden",
                f"Port {explicit} needs more rights than you have.",
                f"Choose one above 1023: `{flag} 8080`.",
            ) from error
        except OSError as error:
            raise RigError(
                "conflict", f"Port {explicit} cannot be had: {error.strerror}.", f"Choose another one: `{flag} PORT`."
            ) from error
    for port in likely:
        try:
            return _both(port)
        except OSError:
            continue
    return _any()


def _any() -> Listening:
    # A port that is free on one loopback may be taken on the other.
    for _ in range(20):
        try:
            return _both(0)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise RigError("conflict", "No port is free on both loopback addresses.", "Choose one yourself: `--port PORT`.")


def _both(port: int) -> Listening:
    four = _bound(socket.AF_INET, "127.0.0.1", port)
    port = four.getsockname()[1]
    try:
        return Listening(port, (four, _bound(socket.AF_INET6, "::1", port)))
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return Listening(port, (four,))
        four.close()
        raise


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made
