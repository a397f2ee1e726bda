"""What every fact is made of.

A fact says in the past tense that something happened. It is frozen, it is versioned, and it is never edited: a shape
that changes gets the next ``sv`` (schema version) and an upcaster in :mod:`events.upcast` that converts the old one on
read. A module of this package holds one stream: its facts, and where somebody asks for it its state, and the pure
``evolve`` that folds one into the other.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

import msgspec

K = TypeVar("K")
V = TypeVar("V")


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of all facts.

    ``type`` is the name that stands in the journal (``network.created``), ``sv`` the version of this shape.
    Fields hold strings, integers, booleans, lists and maps; never a float, never a secret value.
    """

    type: ClassVar[str]
    sv: ClassVar[int] = 1


class Happened(msgspec.Struct, frozen=True):
    """When a fact was recorded and by whom: what ``evolve`` may know besides the fact."""

    at: int = 0
    """Nanoseconds since the epoch, UTC."""
    actor: str = ""


def with_item(table: dict[K, V], key: K, value: V, *, owned: bool) -> dict[K, V]:
    """The table with one more item, or another one; the table itself where it is ``owned`` by whoever folds."""
    if not owned:
        return {**table, key: value}
    table[key] = value
    return table
