"""Somebody who asks an app all the time, and counts what is no answer."""

from __future__ import annotations

import http.client
import threading
from types import TracebackType

from tests.support import TIMEOUT

PAUSE = 0.01
"""Seconds between two requests, so that there is time for something else on the machine."""


class Asker:
    """Asks in the background while it is entered: on new connections and on one that is kept open, by turns."""

    def __init__(self, port: int, host: str) -> None:
        self.answered = 0
        self.failures: list[str] = []
        """What was said in place of a page of the app."""
        self._port = port
        self._host = host
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._kept: http.client.HTTPConnection | None = None

    def __enter__(self) -> Asker:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._kept is not None:
            self._kept.close()

    def _run(self) -> None:
        turn = 0
        while not self._stop.wait(PAUSE):
            turn += 1
            try:
                self._ask(keep=turn % 2 == 0)
            except (OSError, http.client.HTTPException) as error:
                self._kept = None
                self.failures.append(f"{type(error).__name__}: {error}")

    def _ask(self, *, keep: bool) -> None:
        connection = (
            self._kept if keep and self._kept else http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
        )
        connection.request("GET", "/", headers={"Host": self._host})
        answer = connection.getresponse()
        page = answer.read().decode()
        if answer.status == 200 and page.startswith("version "):
            self.answered += 1
        else:
            self.failures.append(f"{answer.status} {page[:200]}")
        if keep:
            self._kept = connection
        else:
            connection.close()
