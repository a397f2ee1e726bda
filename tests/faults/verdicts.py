"""What a server of these tests makes of each request, told to the client that waits for an answer in the same process.

So the time that a client of the tests gives an answer may be short and be enough on the busiest machine: it begins when
the server has done its part, and it is short only where no answer is to come.
"""

from __future__ import annotations

import socket
import threading
from collections import defaultdict, deque
from typing import Any

import pytest

from rig.clients import http as client_http
from rig.clients.http import Patience
from tests.support import TIMEOUT

LASTING = Patience(TIMEOUT, TIMEOUT, TIMEOUT)
"""For an answer that comes."""
Address = tuple[str, int]
"""Of the client's end of a connection."""


class Verdicts:
    """Of one server. Its side tells, for each connection in the order of the requests; the client's side asks."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._told: defaultdict[Address, deque[bool]] = defaultdict(deque)
        self._ended: set[Address] = set()

    def begin(self, client: Address) -> None:
        """A connection was accepted. Its client may ask already; what an earlier one of its address left is void."""
        with self._change:
            self._told[client].clear()
            self._ended.discard(client)

    def tell(self, client: Address, *, spoiled: bool) -> None:
        """Whether the client is to wait in vain for the whole answer to its next request."""
        with self._change:
            self._told[client].append(spoiled)
            self._change.notify_all()

    def end(self, client: Address) -> None:
        """The connection is over: there is nothing more to wait for, and the client sees it."""
        with self._change:
            self._ended.add(client)
            self._change.notify_all()

    def await_next(self, client: Address) -> bool:
        """Wait for the verdict on the next request of a connection, and give it."""
        with self._change:
            told = self._told[client]
            assert self._change.wait_for(lambda: told or client in self._ended, TIMEOUT), "the server says nothing"
            return told.popleft() if told else False

    def heeded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on, in this process, the patience of a request counts from its verdict; else it is LASTING."""
        verdicts = self

        class Timed(client_http._Timed):
            def __init__(self, raw: Any, sock: socket.socket, patience: Patience) -> None:
                spoiled = verdicts.await_next(sock.getsockname())
                super().__init__(raw, sock, patience if spoiled else LASTING)

        monkeypatch.setattr(client_http, "_Timed", Timed)
