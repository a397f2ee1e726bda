"""A proxy between rig and a real node that breaks connections at a chosen request, and counts that it did."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Literal

import msgspec

from tests.faults.http1 import Message, read_message
from tests.faults.verdicts import Address, Verdicts

SPOILED = {"stall", "stall midway", "drip"}
"""How an answer never becomes whole."""
How = Literal["lose request", "cut request", "lose answer", "cut answer", "stall", "stall midway", "drip", "replace"]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong.

    ``lose request``: reset before the node has seen it. ``cut request``: half of it reaches the node, then both sides
    are reset. ``lose answer``: the node has answered, then a reset. ``cut answer``: half of the answer, then the end.
    ``stall``: the node has answered, the answer is held back for ever; ``stall midway`` after half of it. ``drip``: a
    byte now and then. ``replace``: another answer in its place.
    """

    how: How
    request: str = ""
    """Beginning of the request line that it strikes; empty: any."""
    times: int = 1_000_000
    """So often it strikes; then all is well."""
    instead: bytes = b""


class Proxy:
    """Listens on loopback and passes on to the node. A context manager; ``url`` stands for the node."""

    def __init__(self, port: int) -> None:
        self._node = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._fault: Fault | None = None
        self.fired = 0
        """How often the fault has struck since it was set."""
        self.verdicts = Verdicts()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def break_by(self, fault: Fault | None) -> None:
        """From now on this goes wrong; None: nothing does."""
        with self._lock:
            self._fault, self.fired = fault, 0

    def __enter__(self) -> Proxy:
        thread = threading.Thread(target=self._accept)
        self._threads.append(thread)
        thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            self._open.add(connection)
            self.verdicts.begin(address)
            thread = threading.Thread(target=self._serve, args=(connection, address))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket, address: Address) -> None:
        node = socket.create_connection(("127.0.0.1", self._node))
        self._open.add(node)
        with client, node, client.makefile("rb") as asked, node.makefile("rb") as answered:
            try:
                while request := read_message(asked):
                    fault = self._strike(request)
                    if fault is not None and fault.how in {"lose request", "cut request"}:
                        if fault.how == "cut request":
                            node.sendall(request.whole[: len(request.whole) // 2])
                        _reset(client, node)
                        return
                    node.sendall(request.whole)
                    answer = read_message(answered)
                    if answer is None:
                        return
                    self.verdicts.tell(address, spoiled=fault is not None and fault.how in SPOILED)
                    if fault is None:
                        client.sendall(answer.whole)
                    elif not self._spoil(fault, answer.whole, client):
                        return
            except OSError:
                return
            finally:
                self._open -= {client, node}
                self.verdicts.end(address)

    def _strike(self, request: Message) -> Fault | None:
        with self._lock:
            fault = self._fault
            if fault is None or self.fired >= fault.times or not request.line.startswith(fault.request):
                return None
            self.fired += 1
            return fault

    def _spoil(self, fault: Fault, answer: bytes, client: socket.socket) -> bool:
        """Do to an answer what the fault says; whether the connection goes on."""
        match fault.how:
            case "lose answer":
                _reset(client)
            case "cut answer":
                client.sendall(answer[: len(answer) // 2])
            case "stall":
                client.recv(1)  # until the other side has had enough
            case "stall midway":
                client.sendall(answer[: len(answer) // 2])
                client.recv(1)
            case "drip":
                for place in range(len(answer)):
                    client.sendall(answer[place : place + 1])
                    if self._closing.wait(0.05):
                        break
            case "replace":
                client.sendall(fault.instead)
                return True
        return False


def _reset(*sockets: socket.socket) -> None:
    """End connections by RST instead of FIN: what was not delivered is lost, and the other side gets an error."""
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
