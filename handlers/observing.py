"""The replica of the platform's record, kept up to date while something goes on."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from threading import Thread

from handlers.observe import AWAY
from rig.contract.replica import ListRecords, RecordPage
from rig.kernel.bus import as_rig_error
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ports import Platform, Replica

EVERY = 2.0
"""Seconds between two requests for what is new."""
AWAY_EVERY = 15.0
"""The same while there is no answer."""


class Observing:
    """Asks the platform in a thread of its own, so that one that is slow holds nothing up. All else is done by whoever
    calls :meth:`look`."""

    def __init__(self, ctx: ClientContext, replica: Replica) -> None:
        self._ctx = ctx
        self._replica = replica
        self._next: float | None = 0.0
        """When to ask, by the monotonic clock; None while an answer is awaited, and once none is wanted any more."""
        self._away = False
        self._wanted: SimpleQueue[tuple[Platform, int]] = SimpleQueue()
        self._answers: SimpleQueue[tuple[int, RecordPage | RigError]] = SimpleQueue()
        Thread(target=self._ask, daemon=True, name="observing").start()

    def look(self) -> bool:
        """Ask where it is time to, and keep what has come; whether that is anything."""
        if self._next is not None and time.monotonic() >= self._next:
            self._next = None
            try:
                # Here, since there may be no platform to speak of yet: the node of this machine may not run.
                self._wanted.put((self._ctx.ports.platform, self._replica.size()))
            except RigError as error:
                self._fail(error)
                return False
        try:
            asked, answer = self._answers.get_nowait()
        except Empty:
            return False
        try:
            if isinstance(answer, RigError):
                raise answer
            more = self._replica.extend(answer, asked=asked, at=time.time_ns())
        except RigError as error:
            self._fail(error)
            return False
        self._away = False
        self._next = time.monotonic() + (0.0 if more else EVERY)
        return self._replica.size() > asked

    def _fail(self, error: RigError) -> None:
        if error.code not in AWAY:
            self._ctx.progress.warn(f"The platform's record is not followed any more: {error.message}")
            return
        self._next = time.monotonic() + AWAY_EVERY
        if not self._away:
            self._away = True
            self._ctx.progress.warn(f"What is new on the platform is missing for now: {error.message}")

    def _ask(self) -> None:
        while True:
            platform, asked = self._wanted.get()
            try:
                answer: RecordPage | RigError = platform.call(ListRecords(after=asked - 1), RecordPage)
            except Exception as raised:  # whatever it is, whoever looks has to hear of it
                answer = as_rig_error(raised)
            self._answers.put((asked, answer))
