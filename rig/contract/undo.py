"""`rig undo`: taking something back, by another command that is on the record too."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from rig.contract.base import Command, Effect, Reply, arg, opt


class UndoReport(Reply, frozen=True, kw_only=True):
    """What was taken back, and what cannot be."""

    id: str
    """Of the command that was taken back."""
    what: str
    """Its tag."""
    target: str
    at: str
    actor: str
    command: str = ""
    """The command that takes it back, as one would type it; empty where there is none."""
    remains: list[str] = []
    """What it does not bring back."""
    done: bool = False
    """False with --dry-run."""


class Undo(Command, frozen=True, kw_only=True, tag="undo"):
    """Take back the last change that you made with rig, or the one that ID names: by a new command, on the record too.

    What made a release is taken back by a rollback, what was made or given by its deletion, a number, a variable, a
    role or what is said of a network by the earlier one. What others changed since is left alone. It says what cannot
    be taken back, and what there is instead.
    """

    effect: ClassVar[Effect] = "local"
    look: ClassVar[str] = "dry_run"
    kind: ClassVar[str] = "undo"
    reply: ClassVar[type[Reply]] = UndoReport

    id: Annotated[
        str,
        Meta(pattern=r"^([0-9a-f-]{1,36}|n[0-9]{1,9})?$(?!\n)"),
        arg(
            "An id or how it begins, or a number of `rig audit`: 12, n12 of the platform's record, whoever did it.",
            metavar="[ID]",
        ),
    ] = ""
    dry_run: Annotated[bool, opt("Only say what would be done.", "--dry-run")] = False
    yes: Annotated[bool, opt("Do not ask.", "--yes", "-y")] = False
