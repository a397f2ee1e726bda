"""What a verb's module says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from rig.cli.output import Output
from rig.contract.base import Command

DIFFERENCES = 2
"""The exit code of a success that found differences, where `--detailed-exitcode` asked for it."""


def exit_zero(command: Any, reply: Any) -> int:
    """The exit code of a reply that is no failure."""
    return 0


def detailed(differences: Callable[[Any], Any]) -> Callable[[Any, Any], int]:
    """The exit code of a command with `--detailed-exitcode`: ``differences`` are those that a reply tells of."""
    return lambda command, reply: DIFFERENCES if command.detailed_exitcode and differences(reply) else 0


class Verb(msgspec.Struct, frozen=True, kw_only=True):
    """One command on the command line: its Struct, and how people see its reply.

    A verb's module holds ``VERBS: dict[str, Verb]``, by noun (``create app``); the noun is empty for a verb without.
    """

    command: type[Command]
    render: Callable[[Any, Output], None]
    """Prints a reply for people; the other formats need nothing."""
    rows: Callable[[Any], list[Any]] | None = None
    """The items of a list, for CSV and JSON Lines."""
    columns: Callable[[Any], list[str]] | None = None
    """Names of the columns of an empty list, where they do not follow from the type of its items."""
    question: Callable[[Any], str] | None = None
    """What to ask before it is done. With it the verb takes ``--yes``."""
    look: Callable[[Any], Command] | None = None
    """What to look at before somebody is asked. The revision of what they see goes along, so that nothing is done to
    what has become something else meanwhile."""
    seen: Callable[[Any, Any], str] | None = None
    """What of it is told with the question, from the command and what was found. Raises `RigError` where there is
    nothing to agree to, since the command is sure to be refused."""
    word: Callable[[Any], str] | None = None
    """What has to be typed instead of a yes, where too much goes by it for one key; empty for a yes."""
    exit_code: Callable[[Any, Any], int] = exit_zero
    """From the command and its reply."""
    item: Callable[[Any, Output], None] | None = None
    """Prints one item of a stream, in whichever format, as soon as the handler has it."""
    live: bool = False
    """Whether the stream has no end of its own: then it fits a table or JSON Lines, and no single document."""


Verbs = Mapping[str, Verb]
