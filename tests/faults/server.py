"""A server that answers as no Max platform would: refusals on demand, garbage, truth cut short, silence."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from types import TracebackType

import msgspec

from rig.contract.errors import ERRORS, Problem
from tests.faults.http1 import Message, read_message
from tests.faults.verdicts import Address, Verdicts


class Answer(msgspec.Struct, frozen=True):
    """One answer. What is sent is exactly this; ``length`` is what the header claims, where that is not the truth."""

    status: int = 200
    body: bytes = b""
    type: str = "application/json"
    headers: Mapping[str, str] = {}
    length: int = -1
    raw: bytes = b""
    """Sent instead of an HTTP answer."""
    silent: bool = False
    """Nothing is sent, and the connection stays open."""

    def encode(self) -> bytes:
        if self.raw:
            return self.raw
        length = len(self.body) if self.length < 0 else self.length
        lines = [f"HTTP/1.1 {self.status} Because", f"Content-Type: {self.type}", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def problem(code: str, **headers: str) -> Answer:
    """A refusal as the node itself would put it."""
    kind = ERRORS[code]
    body = Problem(status=kind.status, title=kind.meaning, detail=f"Refused: {code}.", code=code, hint="Do otherwise.")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(kind.status, msgspec.json.encode(body), "application/problem+json", named)


class FaultServer:
    """Answers every request with ``answer``, unless ``route`` gives one of its own. A context manager."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or Answer()
        self.route: Callable[[Message], Answer | None] = lambda request: None
        self.requests: list[Message] = []
        self.verdicts = Verdicts()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> FaultServer:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A thread that waits in accept() is woken by shutdown(), not by close().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            _shut(connection)
        for thread in self._threads:
            thread.join()

    def _start(self, work: Callable[..., None], *arguments: socket.socket | Address) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, client = self._listener.accept()
            except OSError:
                return
            self._open.add(connection)
            self.verdicts.begin(client)
            self._start(self._serve, connection, client)

    def _serve(self, connection: socket.socket, client: Address) -> None:
        with connection, connection.makefile("rb") as incoming:
            try:
                while request := read_message(incoming):
                    self.requests.append(request)
                    answer = self.route(request) or self.answer
                    self.verdicts.tell(client, spoiled=answer.silent)
                    if answer.silent:
                        incoming.read()  # until the other side has had enough
                        return
                    connection.sendall(answer.encode())
                    if answer.raw or answer.length > len(answer.body):
                        return
            except OSError:
                return
            finally:
                self._open.discard(connection)
                self.verdicts.end(client)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
