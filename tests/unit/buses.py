"""A bus for tests: commands of every kind, a handler that is told what to do, and what is on the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import pytest

from events.command import CommandCompleted
from rig.contract.base import Command, Effect, Reply, opt
from rig.kernel.bus import Bus, Policy
from rig.kernel.context import Context
from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded, Stamp
from storage.journal import Journal
from tests.storage.support import START
from tests.support import Silence

HANDLER = "handler_of_these_tests"


class Made(Reply, frozen=True, kw_only=True):
    name: str


class Make(Command, frozen=True, kw_only=True, tag="thing.make"):
    handler: ClassVar[str] = HANDLER
    effect: ClassVar[Effect] = "change"
    look: ClassVar[str] = "dry_run"
    reply: ClassVar[type[Reply]] = Made
    name: str
    color: str = "red"
    dry_run: bool = False
    password: Annotated[str, opt("Secret.", secret=True)] = ""


class Whisper(Command, frozen=True, kw_only=True, tag="thing.whisper"):
    handler: ClassVar[str] = HANDLER
    effect: ClassVar[Effect] = "change"
    reply: ClassVar[type[Reply]] = Made
    keeps_reply: ClassVar[bool] = False
    name: str


class Look(Command, frozen=True, kw_only=True, tag="thing.look"):
    handler: ClassVar[str] = HANDLER
    reply: ClassVar[type[Reply]] = Made
    name: str
    password: Annotated[str, opt("Secret.", secret=True)] = ""


class ShowThing(Command, frozen=True, kw_only=True, tag="thing.show"):
    """Its handler is found as those of rig are."""

    reply: ClassVar[type[Reply]] = Made
    name: str


class Tidy(Command, frozen=True, kw_only=True, tag="thing.tidy"):
    handler: ClassVar[str] = HANDLER
    effect: ClassVar[Effect] = "local"
    name: str


class Enter(Command, frozen=True, kw_only=True, tag="thing.enter"):
    handler: ClassVar[str] = HANDLER
    effect: ClassVar[Effect] = "access"
    reply: ClassVar[type[Reply]] = Made
    name: str


class Handler:
    """A handler that is told what to do, and counts its effects."""

    def __init__(self) -> None:
        self.calls = 0
        self.does: Callable[[Any, Context[None]], Any] = lambda command, ctx: Made(name=command.name)

    def handle(self, command: Any, ctx: Context[None]) -> Any:
        self.calls += 1
        return self.does(command, ctx)

    def fails(self, raised: BaseException) -> None:
        def do(command: Any, ctx: Context[None]) -> Any:
            raise raised

        self.does = do


def make_bus(journal: Any, policy: Policy | None = None, *, authoritative: bool = False) -> Bus[None]:
    allow: Policy = lambda command, stamp: None  # noqa: E731 - a default in one place
    return Bus(journal, None, Silence(), handlers="nowhere", policy=policy or allow, authoritative=authoritative)


def stamp(number: int = 1, key: str = "") -> Stamp:
    identity = f"command-{number}"
    return Stamp(
        id=identity, actor="user:ana", at=START, src="laptop", corr="corr-1", key=key, client="rig/0", context="local"
    )


def types(journal: Journal) -> list[str]:
    return [record.fact.type for record in journal.read()]


def last(journal: Journal) -> Recorded:
    return journal.read()[-1]


def completed(journal: Journal) -> CommandCompleted:
    fact = last(journal).fact
    assert isinstance(fact, CommandCompleted)
    return fact


def outbox(journal: Journal) -> list[tuple[str, str, str]]:
    return [(row["idem"], row["key"], row["state"]) for row in journal.rows("SELECT * FROM outbox ORDER BY idem")]


def dispatch(bus: Bus[None], command: Command, at: Stamp | None = None) -> RigError:
    """Dispatch a command that has to fail."""
    with pytest.raises(RigError) as caught:
        bus.dispatch(command, at or stamp())
    return caught.value


class Full:
    """The journal on a disk that is full from the ``after``-th append on."""

    def __init__(self, journal: Journal, after: int = 0) -> None:
        self._journal = journal
        self._left = after

    def append(self, *args: Any, **options: Any) -> list[Recorded]:
        if not self._left:
            raise RigError("journal_unavailable", "The disk is full.", "Free some space.")
        self._left -= 1
        return self._journal.append(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)
