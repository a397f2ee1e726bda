"""What the handlers of the command line may reach."""

from __future__ import annotations

from typing import Protocol, TypeVar

from rig.contract.base import Command, Reply
from rig.contract.project import ProjectFile
from rig.kernel.context import Context
from rig.kernel.ports import Platform

R = TypeVar("R", bound=Reply)


class Terminal(Protocol):
    """Whoever sits in front of it, if anybody does."""

    interactive: bool

    def agree(self, question: str, *, default: bool = False) -> bool:
        """Ask a yes-or-no question. False where nobody can be asked."""
        ...

    def note(self, text: str) -> None:
        """Say something that is not the result."""
        ...


class ClientPorts(Protocol):
    """The ports of a handler on the client. Each adapter is built when it is first asked for."""

    @property
    def platform(self) -> Platform: ...

    @property
    def terminal(self) -> Terminal: ...

    def project(self, folder: str) -> ProjectFile:
        """`rig.toml` of a folder; an empty one where there is none. Raises `RigError` ``bad_config``."""
        ...

    def open_browser(self, url: str) -> bool:
        """Show a page in the user's browser; whether one was found."""
        ...


ClientContext = Context[ClientPorts]


def send(ctx: ClientContext, command: Command, reply: type[R]) -> R:
    """Send a command to the platform under this dispatch's idempotency key."""
    return ctx.ports.platform.call(command, reply, key=ctx.stamp.id, corr=ctx.stamp.corr)
