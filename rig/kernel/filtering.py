"""Rows of lists that pass the filters of a command, page by page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar

import msgspec

from rig.kernel.errors import RigError

Row = TypeVar("Row", bound=msgspec.Struct)
_PLAIN = (msgspec.inspect.StrType, msgspec.inspect.IntType, msgspec.inspect.BoolType, msgspec.inspect.LiteralType)


class Asked(Protocol):
    """What a command for a list says of it."""

    @property
    def filter(self) -> list[str]: ...

    @property
    def limit(self) -> int: ...

    @property
    def after(self) -> str: ...


def rows_behind(
    keys: Iterable[str], rows: Callable[[str], Sequence[Row]], kind: type[Row], asked: Asked
) -> tuple[list[Row], str]:
    """The rows of one page that pass its filters, and what the next page comes after: empty on the last one.

    ``keys`` are those behind ``asked.after``; ``rows`` makes those of one key, and is called for no more keys than it
    takes to fill the page and to know whether another one follows. A page holds ``limit`` keys. Raises `RigError`
    ``usage`` for a field that there is not.
    """
    passes = condition(kind, asked.filter)
    found: list[Row] = []
    count, last = 0, ""
    for key in keys:
        if count == asked.limit and not asked.filter:
            return found, last  # there is no need to make its rows
        passing = [row for row in rows(key) if passes(row)]
        if asked.filter and not passing:
            continue
        if count == asked.limit:
            return found, last
        found += passing
        count, last = count + 1, key
    return found, ""


def condition(kind: type[msgspec.Struct], filters: Sequence[str]) -> Callable[[Any], bool]:
    """Whether a row passes all of ``field=value`` and ``field!=value``. Raises `RigError` ``usage``."""
    tests = [_test(kind, text) for text in filters]
    return lambda row: all(test(row) for test in tests)


def _test(kind: type[msgspec.Struct], text: str) -> Callable[[Any], bool]:
    field, sign, value = text.partition("=")
    wanted, field = not field.endswith("!"), field.removesuffix("!")
    known = filterable(kind)
    if not sign or field not in known:
        raise RigError("usage", f"Rows cannot be filtered by `{field}`.", f"The fields are: {', '.join(known)}.")
    pattern = re.compile(_expression(value), re.DOTALL)

    def passes(row: Any) -> bool:
        return any(pattern.fullmatch(each) for each in _texts(getattr(row, field))) == wanted

    return passes


def _expression(wildcards: str) -> str:
    """What `*` and `?` of a shell are as a regular expression; all else stands for itself.

    What stands between two stars is looked for once, at the first place where it fits, and the group is atomic: with
    plain `.*` a text of a hundred characters and ten stars would keep the node busy for years.
    """
    first, *others = [re.escape(part).replace(r"\?", ".") for part in wildcards.split("*")]
    if not others:
        return first
    return first + "".join(f"(?>.*?{part})" for part in others[:-1]) + f".*{others[-1]}"


def _texts(value: object) -> tuple[str, ...]:
    """How a value may be written in a filter: `3` also as `v3`, `demo/shop` also as `shop`."""
    if isinstance(value, bool):
        return (str(value).lower(),)
    if isinstance(value, int):
        return str(value), f"v{value}"
    text = str(value)
    return (text, text.partition("/")[2]) if "/" in text else (text,)


@cache
def filterable(kind: type[msgspec.Struct]) -> list[str]:
    """The fields of a row that hold one plain value."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    return [field.encode_name for field in info.fields if isinstance(_bare(field.type), _PLAIN)]


def _bare(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    return info.type if isinstance(info, msgspec.inspect.Metadata) else info
