"""Facts ↔ the JSON that stands in the journal.

:data:`MODULES` says which module of this package holds the facts of which prefix. A module is imported when the first
fact of its prefix is read, so a command loads no more of them than it needs. A new stream is one line here.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import msgspec

from events.base import Fact
from events.upcast import UPCASTERS, upcast

MODULES: dict[str, str] = {
    "account": "events.account",
    "app": "events.app",
    "auth": "events.account",
    "command": "events.command",
    "deploy": "events.app",
    "journal": "events.journal",
    "network": "events.network",
    "node": "events.node",
    "role": "events.account",
    "secret": "events.config",
    "token": "events.account",
    "var": "events.config",
    "witness": "events.witness",
}
"""What stands before the first dot of a fact's ``type`` → the module that defines it."""

_decoders: dict[str, tuple[type[Fact], msgspec.json.Decoder[Fact]]] = {}


class UnknownFact(ValueError):
    """A record that this version of rig cannot read: its type or the version of its shape is not known."""


def facts_of(module: str) -> dict[str, type[Fact]]:
    """The facts that a module defines, by ``type``."""
    found: dict[str, type[Fact]] = {}
    for value in vars(import_module(module)).values():
        if isinstance(value, type) and issubclass(value, Fact) and value.__module__ == module:
            name = value.__dict__.get("type")
            if isinstance(name, str):
                found[name] = value
    return found


def decode(type_: str, sv: int, body: bytes | msgspec.Raw) -> Fact:
    """The fact, in its current shape. Raises `UnknownFact`, or `msgspec.MsgspecError` where the body does not fit."""
    fact, decoder = _decoder(type_)
    current = fact.sv
    if sv == current:
        return decoder.decode(body)
    if sv > current or any((type_, version) not in UPCASTERS for version in range(sv, current)):
        raise UnknownFact(f"version {sv} of `{type_}` is not known here; version {current} is")
    old: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    return msgspec.convert(upcast(type_, sv, old, current), fact)


@cache
def is_current(type_: str, sv: int) -> bool:
    """Whether a fact is known here, and has the shape that it has today."""
    return version_of(type_) == sv


def version_of(type_: str) -> int | None:
    """The version of the shape that a fact has today; None for one that is not known here."""
    try:
        return _decoder(type_)[0].sv
    except UnknownFact:
        return None


def _decoder(type_: str) -> tuple[type[Fact], msgspec.json.Decoder[Fact]]:
    if type_ not in _decoders:
        module = MODULES.get(type_.partition(".")[0])
        fact = facts_of(module).get(type_) if module else None
        if fact is None:
            raise UnknownFact(f"there is no fact `{type_}`")
        _decoders[type_] = fact, msgspec.json.Decoder(fact)
    return _decoders[type_]
