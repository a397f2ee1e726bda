"""What the handlers of the command line may reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from rig.contract.base import Command, Reply
from rig.contract.deploy import PlannedFile
from rig.contract.project import AppConfig, ProjectFile
from rig.contract.releases import SourceInfo
from rig.kernel.context import Context
from rig.kernel.evidence import Evidence
from rig.kernel.logins import Contexts, Logins, Settings
from rig.kernel.ports import NodeProcess, Platform, Progress, Record, Replica, Texts

if TYPE_CHECKING:
    from rig.contract.configuration import Configuration

R = TypeVar("R", bound=Reply)


class Terminal(Protocol):
    """Whoever sits in front of it, if anybody does."""

    interactive: bool

    def agree(self, question: str, *, default: bool = False) -> bool:
        """Ask a yes-or-no question. False where nobody can be asked."""
        ...

    def confirm(self, question: str, *, flag: str, word: str = "", look: str = "") -> None:
        """Go on only with a yes, or with ``word`` where there is one.

        Raises `RigError` ``input_required`` without a terminal, ``cancelled`` on anything else. The first names
        ``flag``, the option that says yes, and ``look``, the one that shows what would be done.
        """
        ...

    def tell(self, text: str) -> None:
        """Say what must be read for things to go on."""
        ...

    def note(self, text: str) -> None:
        """Say something that is not the result."""
        ...


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that was listed and hashed."""

    bundle: str
    files: int
    bytes: int
    listing: list[PlannedFile] = []
    """Every file, where it was asked for."""
    warnings: tuple[str, ...] = ()
    handle: Any = None
    """The adapter's own."""


class Sources(Protocol):
    """Source folders, and the way of their contents to the platform."""

    def survey(self, folder: str, *, allow: Sequence[str], progress: Progress, files: bool = False) -> Source:
        """List and hash a folder. Raises `RigError` ``secret_in_source``, ``invalid_data``, ``too_large`` …"""
        ...

    def info(self, folder: str) -> SourceInfo:
        """Commit, branch and whether the folder differs from it; empty outside a repository."""
        ...

    def send(self, source: Source, network: str, progress: Progress) -> int:
        """Send what the platform lacks of a source; gives the bytes that travelled."""
        ...


class Inputs(Protocol):
    """What the user hands over besides the command line."""

    def file(self, path: str) -> bytes:
        """The content of a file; ``-`` is standard input. Raises `RigError` ``usage`` or ``too_large``."""
        ...

    def secret(self, prompt: str) -> bytes:
        """A value that is typed and not shown, or sent by standard input.

        Raises `RigError` ``input_required``, or ``cancelled`` where nothing was typed.
        """
        ...


class ClientPorts(Protocol):
    """The ports of a handler on the client. Each adapter is built when it is first asked for."""

    @property
    def platform(self) -> Platform: ...

    @property
    def platform_on_the_way(self) -> Platform:
        """The same, for what a command can do without: it has a few seconds for all of that, and is ``unreachable``
        then."""
        ...

    @property
    def node_process(self) -> NodeProcess: ...

    @property
    def terminal(self) -> Terminal: ...

    @property
    def sources(self) -> Sources: ...

    @property
    def inputs(self) -> Inputs: ...

    @property
    def has_platform(self) -> bool:
        """Whether there is a platform to talk to: a context, or RIG_URL."""
        ...

    def perform(self, command: Command) -> Reply:
        """Dispatch another command, with a record of its own, under the same correlation."""
        ...

    @property
    def contexts(self) -> Contexts: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def logins(self) -> Logins: ...

    @property
    def replica(self) -> Replica | None:
        """What is known of the record of the current platform; None where there is no platform."""
        ...

    @property
    def texts(self) -> Texts: ...

    @property
    def evidence(self) -> Evidence:
        """The journal of this machine, to be checked, exported, replayed, archived; and exports of others."""
        ...

    @property
    def node_evidence(self) -> Evidence:
        """The journal of the embedded node, whether that runs or not. Raises `RigError` ``not_found``."""
        ...

    def imported(self, path: str) -> Record:
        """What `rig journal import` made of an export. Raises `RigError` ``invalid_data``."""
        ...

    def ask_sql(self, sql: str, source: str, path: str = "") -> list[dict[str, Any]]:
        """Ask the tables of a record in SQL: ``local``, ``observed``, or ``export`` for the one imported to ``path``.

        Raises `RigError` ``usage``.
        """
        ...

    @property
    def show(self) -> Callable[[Any], None]:
        """Prints one item of a stream at once. Raises `ReaderGone`."""
        ...

    def writing(self, path: str, *, overwrite: bool = False) -> AbstractContextManager[Callable[[str], Any]]:
        """Write a document: to a file, which is there when it is whole, or with an empty path to standard output.

        Raises `RigError` ``already_exists`` before anything is done where there is such a file that is not to be
        replaced, and ``usage`` where it cannot be written.
        """
        ...

    def project(self, folder: str, environment: str = "") -> ProjectFile:
        """`rig.toml` of a folder, with one of its environments laid over it; an empty one where there is none.

        Raises `RigError` ``bad_config``.
        """
        ...

    def app_config(self, folder: str, environment: str = "") -> AppConfig:
        """The part of `rig.toml` that a release keeps. Raises `RigError` ``bad_config``."""
        ...

    def configuration(self, path: str) -> Configuration:
        """A `max.toml`; ``-`` is standard input. Raises `RigError` ``bad_config``, ``not_found`` or ``too_large``."""
        ...

    def open_browser(self, url: str) -> bool:
        """Show a page in the user's browser; whether one was found."""
        ...


ClientContext = Context[ClientPorts]


def send(ctx: ClientContext, command: Command, reply: type[R]) -> R:
    """Send a command to the platform under this dispatch's idempotency key."""
    return ctx.ports.platform.call(command, reply, key=ctx.stamp.id, corr=ctx.stamp.corr)
