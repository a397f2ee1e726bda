"""The stream of one client's journal at the platform, ``witness:<origin>``: by which key its checkpoints are signed."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from events.base import Fact, Happened


class JournalRegistered(Fact, frozen=True, kw_only=True):
    """The public half of a journal's signing key was made known to the platform."""

    type: ClassVar[str] = "witness.registered"

    origin: str
    key: str
    """Verifier key, C2SP signed-note form."""


class WitnessState(msgspec.Struct, frozen=True):
    """What the platform holds a journal to."""

    key: str = ""


def evolve(state: WitnessState, fact: Fact, happened: Happened) -> WitnessState:
    """Fold one fact into the state."""
    if isinstance(fact, JournalRegistered):
        return WitnessState(key=fact.key)
    return state
