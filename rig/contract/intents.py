"""Intents: what became of a change whose answer was lost."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from rig.contract.base import Command, Reply, wire

IntentState = Literal["none", "pending", "succeeded", "failed"]


class Intent(Reply, frozen=True, kw_only=True):
    """A change as the platform knows it. ``none``: it never arrived, or nothing of it was accepted."""

    key: str
    state: IntentState
    command: str = ""
    """Tag of the command that arrived."""
    code: str = ""
    message: str = ""
    hint: str = ""
    app: str = ""
    version: int = 0
    """The release that it made, if it made one; ``pending`` then means that this is not over."""


class ShowIntent(Command, frozen=True, kw_only=True, tag="intent.show"):
    """Ask what became of a change of one's own, by its Idempotency-Key."""

    reply: ClassVar[type[Reply]] = Intent

    key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,200}$(?!\n)"), wire("The key that the change was sent with.")]
