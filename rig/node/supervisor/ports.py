"""Loopback ports for instances."""

from __future__ import annotations

import random
import socket
import sys

from rig.kernel.errors import RigError

RANGE = range(20000, 30000)
"""Below the ports that systems give to outgoing connections (Linux 32768, RFC 6335: 49152), so that none of those
takes the port of an instance while it is being started again."""
CLAIMS = sys.platform == "linux"
"""Whether nodes can tell each other which ports they have handed out."""


class Ports:
    """Hands out ports. One that was handed out, or reserved, is not handed out again until it is released.

    Nor does another node of the machine hand it out, though nobody listens on it until the app does.
    """

    def __init__(self, ports: range = RANGE) -> None:
        self._range = ports
        self._taken: dict[int, socket.socket | None] = {}
        """With what tells other nodes; None where they were told by an earlier node, or cannot be."""

    def allocate(self) -> int:
        """A port on which nobody listens. Raises `RigError` ``unavailable`` where there is none left."""
        # Not in order: two nodes on one machine would go for the same port at the same time.
        start = random.randrange(len(self._range))  # noqa: S311
        for step in range(len(self._range)):
            port = self._range[(start + step) % len(self._range)]
            if port in self._taken:
                continue
            claim = _claim(port)
            if _free(port) and (claim or not CLAIMS):
                self._taken[port] = claim
                return port
            if claim:
                claim.close()
        raise RigError(
            "unavailable",
            f"All ports from {self._range.start} to {self._range.stop - 1} are in use.",
            "Stop apps that are not needed: `rig update app APP --scale web=0`.",
        )

    def reserve(self, port: int) -> bool:
        """Take over a port that an instance has already; false where another one has it."""
        if port in self._taken:
            return False
        self._taken[port] = _claim(port)
        return True

    def release(self, port: int) -> None:
        claim = self._taken.pop(port, None)
        if claim:
            claim.close()

    def close(self) -> None:
        """Leave all of them to the next node. What runs has them still."""
        for port in list(self._taken):
            self.release(port)


def _claim(port: int) -> socket.socket | None:
    """A name that only one process of the machine can have, and that goes with it; None where it is another's.

    It is in the same network namespace as the port (unix(7): abstract sockets).
    """
    if not CLAIMS:
        return None
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0rig/port/{port}")
    except OSError:
        claim.close()
        return None
    return claim


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
