"""One invocation of rig: its commands go on the bus, and what is done for all of them is done here."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import cached_property

from rig.adapters import USER_AGENT, Adapters
from rig.clients.home import find_home
from rig.clients.settings import FileSettings
from rig.contract.base import Command, Reply, effect_of
from rig.kernel.bus import Bus
from rig.kernel.client import ClientPorts
from rig.kernel.errors import LOGGED_OUT, UNANSWERED, RigError
from rig.kernel.ids import uuid7
from rig.kernel.ports import Stamp

_NO_ANSWER = UNANSWERED | LOGGED_OUT | {"cancelled", "terminated", "internal"}
"""Errors after which the platform is not asked for more: it did not answer, or the user wants to be off."""


def user_settings(
    config: str = "", flags: Mapping[str, str] | None = None, environ: Mapping[str, str] = os.environ
) -> FileSettings:
    """The settings of an invocation: ``config`` is the file to read instead of the usual one, ``flags`` override it."""
    return FileSettings(config or find_home(environ).settings, environ, flags)


class Client(Adapters):
    """Dispatches commands; it is the `ClientPorts` of their handlers."""

    _correlation = ""
    """Of the first command, for those that it performs."""
    _depth = 0
    """Commands that are under way: more than one where one performs another."""
    _reconciled = False

    def dispatch(self, command: Command) -> tuple[Reply, list[str]]:
        """Put one command on the bus; gives its reply and the warnings that go with it. Raises `RigError`."""
        stamp = self._stamp()
        self._correlation = stamp.corr
        self._depth += 1
        try:
            reply, warnings = self._bus.dispatch(command, stamp)
        except RigError as error:
            # A refusal is an answer too; after one that did not come, the next command asks.
            if self._depth == 1 and not error.unclear and error.code not in _NO_ANSWER:
                error.warnings = [*error.warnings, *self._reconcile(stamp)]
            raise
        finally:
            self._depth -= 1
        return reply, [*warnings, *self._reconcile(stamp), *self._witness(command, stamp)]

    def _witness(self, command: Command, stamp: Stamp) -> list[str]:
        """Since the platform could be reached: after a change, have it witness what the record is now."""
        if "transport" not in self.__dict__ or self._depth or effect_of(command) == "query":
            return []
        from handlers.witness import witness

        return witness(self.journal, self.platform_on_the_way, stamp)

    def _reconcile(self, stamp: Stamp) -> list[str]:
        """Since the platform could be reached: learn from it what became of changes that were cut off."""
        if "transport" not in self.__dict__ or self._reconciled:
            return []
        self._reconciled = True
        open_rows = "SELECT 1 FROM outbox WHERE state IN ('pending', 'unknown') LIMIT 1"
        try:
            if next(self.journal.rows(open_rows), None) is None:
                return []
            from handlers.reconcile import reconcile

            return reconcile(self.journal, self.platform_on_the_way, stamp)
        except RigError:
            # The command itself was carried out; the next one tries again.
            return []

    def perform(self, command: Command) -> Reply:
        """Dispatch another command under the same correlation; its warnings are told at once."""
        reply, warnings = self.dispatch(command)
        for warning in warnings:
            self._progress.warn(warning)
        return reply

    def _stamp(self) -> Stamp:
        identity = uuid7()
        context = self.known_context()
        account = context.account if context and (context.store != "none" or "RIG_TOKEN" in self._environ) else ""
        return Stamp(
            id=identity,
            actor=f"user:{account}" if account else f"os:{os_user(self._environ)}",
            at=self.clock.now(),
            src=socket.gethostname(),
            corr=self._correlation or self._environ.get("RIG_CORRELATION") or identity,
            client=USER_AGENT,
            context=context.name if context else "",
        )

    @cached_property
    def _bus(self) -> Bus[ClientPorts]:
        return Bus(self.journal, self, self._progress, handlers="handlers")


def os_user(environ: Mapping[str, str]) -> str:
    """Name of the operating system's user, for the record of somebody who has not logged in."""
    for name in ("USER", "LOGNAME", "USERNAME"):
        if environ.get(name):
            return environ[name]
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
