"""The stream of one command: that it was received, and how it ended.

A change leaves ``command.received`` before its first effect and ``command.completed`` after its last. A query leaves
one ``command.completed``. A received command without its end is *unknown*: it can be resumed or reconciled.
"""

from __future__ import annotations

from typing import Any, ClassVar

from events.base import Fact


class CommandReceived(Fact, frozen=True, kw_only=True):
    """The intent, on the record before the first effect."""

    type: ClassVar[str] = "command.received"

    command: str
    """The command's tag, as ``network.create``."""
    arguments: dict[str, Any] = {}
    """Its fields as JSON values; those marked secret are left out."""
    fingerprint: str = ""
    """SHA-256 of the whole command, where it came with an idempotency key."""
    client: str = ""
    """Version of the program that received it."""
    context: str = ""
    process: str = ""
    """Of a change on its way to a platform: ``PID:START`` of the process that carries it out. Whether that still runs
    tells a change that goes on from one that was cut off."""


class CommandCompleted(Fact, frozen=True, kw_only=True):
    """The outcome. ``code`` is the error's code, empty on success; ``exit`` the exit code."""

    type: ClassVar[str] = "command.completed"

    command: str
    exit: int = 0
    code: str = ""
    message: str = ""
    arguments: dict[str, Any] = {}
    """Filled for a query, which has no ``command.received``."""
    result: dict[str, Any] = {}
    """The reply, where it came with an idempotency key: what a retry gets."""
    hint: str = ""
    reconciled: bool = False
    """Whether the end was learnt from the platform later, after the process that began it was cut off."""
    client: str = ""
    context: str = ""


class CommandUndone(Fact, frozen=True, kw_only=True):
    """A command was taken back by another one, which has the same correlation as this fact."""

    type: ClassVar[str] = "command.undone"

    id: str
    """Of the command that was taken back."""
    command: str
    """Its tag."""
