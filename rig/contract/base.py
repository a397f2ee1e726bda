"""Commands and replies: what goes into the bus and what comes out.

A command is a frozen Struct. Its docstring is its help, its fields are its arguments, options, JSON Schema and page in
the docs: :func:`arg` and :func:`opt` carry what a bare type cannot say. Nothing about a field is written down twice.
The same Struct is the request of an API route (:mod:`rig.contract.api`), so the client sends what the user typed and
the node dispatches what the client sent.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from rig.contract.errors import ErrorBody

SCHEMA = "rig/1"
"""The version of the envelope on stdout. A new member does not change it; a changed meaning does."""

Effect = Literal["query", "local", "change", "access"]
"""What a command does.

``query``: reads; leaves ``command.completed``. ``local``: changes something on this machine only. ``change``: changes
the platform; its intent and its outbox row are on the record before it travels. ``access``: remote access; refused
when it cannot be recorded. The last three leave ``command.received`` and ``command.completed``.
"""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all replies: the ``data`` of an envelope. Lists are never null, times are RFC 3339 UTC."""


class Done(Reply, frozen=True, kw_only=True):
    """A reply that has nothing to tell but what was acted on."""

    target: str
    message: str = ""


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of all commands. Each has a ``tag`` such as ``network.create``, given as a class keyword."""

    effect: ClassVar[Effect] = "query"
    look: ClassVar[str] = ""
    """The option that has a change do nothing but say what it would do, as ``dry_run``: with it, it is a query."""
    kind: ClassVar[str] = ""
    """The ``kind`` of the envelope that answers it."""
    reply: ClassVar[type[Reply]] = Done
    """What answers it: the ``data`` of the envelope, and the body of the API's answer."""
    keeps_reply: ClassVar[bool] = True
    """Whether the reply may stand in the journal, so that a retry with the same key gets it again. False where it
    carries a secret."""


Names = Literal["", "apps", "networks", "contexts", "settings"]


class CommandOption(msgspec.Struct, frozen=True):
    """How a field looks on the command line; see :func:`arg` and :func:`opt`."""

    positional: bool = False
    metavar: str = ""
    flags: tuple[str, ...] = ()
    secret: bool = False
    wire_only: bool = False
    """Whether it has no place on the command line; see :func:`wire`."""
    stays: bool = False
    """Whether it does not travel; see :func:`here`."""
    completes: Names = ""
    """What it names, if it names something that there is: shell completion can offer those."""


def arg(description: str, *, metavar: str = "", completes: Names = "") -> Meta:
    """A positional argument."""
    option = CommandOption(positional=True, metavar=metavar, completes=completes)
    return Meta(description=description, extra={"option": option})


def opt(description: str, *flags: str, metavar: str = "", secret: bool = False, completes: Names = "") -> Meta:
    """An option. Without ``flags`` it is ``--field-name``. A ``secret`` field never enters the journal."""
    option = CommandOption(metavar=metavar, flags=flags, secret=secret, completes=completes)
    return Meta(description=description, extra={"option": option})


def here(description: str, *flags: str, metavar: str = "") -> Meta:
    """An option that does not travel: it says how the command is carried out on this machine."""
    option = CommandOption(metavar=metavar, flags=flags, stays=True)
    return Meta(description=description, extra={"option": option})


def wire(description: str = "", *, secret: bool = False) -> Meta:
    """A field that only travels: it has no place on the command line."""
    return Meta(description=description, extra={"option": CommandOption(wire_only=True, secret=secret)})


def tag_of(command: Command | type[Command]) -> str:
    """The command's tag, as ``network.create``."""
    return str(command.__struct_config__.tag)


def effect_of(command: Command) -> Effect:
    """What this very command does: with the option that makes it a mere look, it reads."""
    return "query" if command.look and getattr(command, command.look) else command.effect


def option_of(field_type: Any) -> CommandOption:
    """The :class:`CommandOption` of an annotated field type; the default where there is none."""
    for meta in getattr(field_type, "__metadata__", ()):
        if isinstance(meta, Meta) and meta.extra and "option" in meta.extra:
            option = meta.extra["option"]
            assert isinstance(option, CommandOption)
            return option
    return CommandOption()


def description_of(field_type: Any) -> str:
    """What an annotated field is for: the last of its descriptions, empty where there is none."""
    metas = [meta for meta in getattr(field_type, "__metadata__", ()) if isinstance(meta, Meta)]
    return next((meta.description for meta in reversed(metas) if meta.description), "")


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The one document on stdout, on success and on failure."""

    schema: str = SCHEMA
    kind: str = ""
    data: Any = None
    error: ErrorBody | None = None
    warnings: tuple[str, ...] = ()


class Page(Reply, frozen=True, kw_only=True):
    """The base of paged lists: ``next`` goes back as ``after`` for the following page; empty on the last one."""

    next: str = ""


Limit = Annotated[int, Meta(ge=1, le=1000), opt("At most this many rows in one page.", "--limit")]
After = Annotated[
    str, Meta(max_length=400), opt("Go on behind this row, as the page before it ended.", "--after", metavar="NAME")
]
Filters = Annotated[
    list[Annotated[str, Meta(pattern=r"^[a-z_]{1,30}!?=.{0,200}$(?!\n)")]],
    Meta(max_length=20),
    opt(
        "Only rows whose FIELD is VALUE, in which * and ? stand for anything: name=web*, status!=live. May be given "
        "more than once; a row has to pass all.",
        "--filter",
        metavar="FIELD=VALUE",
    ),
]

IfMatch = Annotated[
    int,
    Meta(ge=-1, le=10**17),
    opt(
        "Only if nobody has changed it since: the revision that details and lists give with -o json.",
        "--if-match",
        metavar="REVISION",
    ),
]
