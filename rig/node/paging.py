"""Pages of sorted lists, and the rows of them that were asked for."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
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


def page_of(names: Sequence[str], after: str, limit: int) -> tuple[list[str], str]:
    """The names that follow ``after``, at most ``limit``, and what the next page comes after: empty on the last one."""
    begin = bisect_right(names, after)
    page = list(names[begin : begin + limit])
    return page, page[-1] if begin + limit < len(names) else ""


def rows_of(
    keys: Sequence[str], rows: Callable[[str], Sequence[Row]], kind: type[Row], asked: Asked
) -> tuple[list[Row], str]:
    """The rows of one page that pass its filters, and what the next page comes after: empty on the last one.

    ``keys`` are sorted; ``rows`` makes those of one key, and is called for no more keys than it takes to fill the page
    and to know whether another one follows. A page holds ``limit`` keys. Raises `RigError` ``usage`` for a field that
    there is not.
    """
    if not asked.filter:
        page, following = page_of(keys, asked.after, asked.limit)
        return [row for key in page for row in rows(key)], following
    passes = condition(kind, asked.filter)
    found: list[Row] = []
    count, last = 0, ""
    for key in keys[bisect_right(keys, asked.after) :]:
        passing = [row for row in rows(key) if passes(row)]
        if not passing:
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
