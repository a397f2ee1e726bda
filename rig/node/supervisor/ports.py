"""Loopback ports for instances."""

from __future__ import annotations

import random
import socket

from rig.kernel.errors import RigError

RANGE = range(20000, 30000)
"""Below the ports that systems give to outgoing connections (Linux 32768, RFC 6335: 49152), so that none of those
takes the port of an instance while it is being started again."""


class Ports:
    """Hands out ports. One that was handed out, or reserved, is not handed out again until it is released."""

    def __init__(self, ports: range = RANGE) -> None:
        self._range = ports
        self._taken: set[int] = set()

    def allocate(self) -> int:
        """A port on which nobody listens. Raises `RigError` ``unavailable`` where there is none left."""
        # Not in order: two nodes on one machine would go for the same port at the same time.
        start = random.randrange(len(self._range))  # noqa: S311
        for step in range(len(self._range)):
            port = self._range[(start + step) % len(self._range)]
            if port not in self._taken and _free(port):
                self._taken.add(port)
                return port
        raise RigError(
            "unavailable",
            f"All ports from {self._range.start} to {self._range.stop - 1} are in use.",
            "Stop apps that are not needed: `rig update app APP --scale web=0`.",
        )

    def reserve(self, port: int) -> bool:
        """Take over a port that an instance has already; false where another one has it."""
        if port in self._taken:
            return False
        self._taken.add(port)
        return True

    def release(self, port: int) -> None:
        self._taken.discard(port)


def _free(port: int) -> bool:
    """Whether an app could listen there, on loopback or on all addresses."""
    with socket.socket() as probe:
        # Connections of an earlier listener that linger in TIME_WAIT do not count; on Linux and BSD a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - bound for a moment, never listening
        except OSError:
            return False
    return True
