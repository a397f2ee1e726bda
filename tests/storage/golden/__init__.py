"""One record of every fact, as it stands in a journal.

``python -m tests.storage.golden`` writes what is missing and never touches what is there: a file that was committed
stays as it is, because journals like it are out in the world.
"""

from __future__ import annotations

import pkgutil
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

import events
from events.base import Fact
from events.codec import facts_of
from rig.kernel.ports import Draft, Stamp
from storage import record

FOLDER = Path(__file__).parent


def all_facts() -> list[type[Fact]]:
    """Every fact that a module of `events` defines."""
    modules = (f"events.{module.name}" for module in pkgutil.iter_modules(events.__path__))
    return [fact for module in sorted(modules) for fact in facts_of(module).values()]


def path_of(type_: str, sv: int) -> Path:
    return FOLDER / f"{type_}.{sv}.json"


def example(fact: type[Fact]) -> bytes:
    """A record whose fact has every field filled with something that is not its default."""
    hints = get_type_hints(fact)
    value = fact(**{field: _value(hints[field], field) for field in fact.__struct_fields__})
    stamp = Stamp(
        id="01a00000-0000-7000-8000-000000000001", actor="user:ana", at=1, src="laptop", corr="c", session="s"
    )
    draft = Draft(stream="example:1", fact=value, target="demo/hello", outcome="success")
    at = 1_780_000_000_000_000_000
    made = record.make(draft, stamp, pos=0, ver=1, prev=record.GENESIS, at=at, idem="", meta={})
    return record.encode(made)


def _value(hint: Any, name: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return arguments[-1]
    if origin in (Union, UnionType):
        return _value(next(a for a in arguments if a is not type(None)), name)
    if origin in (list, tuple):
        return origin([_value(arguments[0], name)])
    if origin is dict:
        return {"key": _value(arguments[1], name)}
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        hints = get_type_hints(hint)
        return hint(**{field: _value(hints[field], field) for field in hint.__struct_fields__})
    values: dict[Any, Any] = {str: f"a {name}", int: 7, bool: True, Any: "anything"}
    return values[hint]
