"""TOML that somebody wrote: read, and checked against a Struct. Errors name file, line and what was probably meant."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin

import msgspec

from rig.contract.names import LABEL_PATTERN, LABEL_RULE, PROCESS_PATTERN, SIZE_PATTERN, VARIABLE_PATTERN
from rig.kernel.errors import RigError
from rig.kernel.toml import loads

T = TypeVar("T", bound=msgspec.Struct)

Keys = tuple[str, ...]
"""The way to a value: ``("processes", "web", "count")``."""


def decode(data: bytes, path: str) -> tuple[str, dict[str, Any]]:
    """The text of a file, and what it says; ``path`` is for messages. Raises `RigError` ``bad_config``."""
    import re
    import tomllib

    try:
        text = data.decode("utf-8-sig")
        return text, loads(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        refuse(path, line, "it is not UTF-8 text", f"Save {path} as UTF-8.")
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        reason = str(error).split(" (at ", maxsplit=1)[0]
        # The reader names a key as Python does, ('apps', 'shop'); people write apps.shop.
        parts = re.search(r"\('.*',?\)", reason)
        if parts:
            reason = reason.replace(parts[0], "`" + ".".join(re.findall(r"'(.*?)'", parts[0])) + "`")
        refuse(path, line, reason[:1].lower() + reason[1:], "See https://toml.io for the syntax.")
    except ValueError:  # of a whole number with more digits than Python reads
        refuse(path, 0, "a number in it has too many digits", "Write a text in quotes.")
    except RecursionError:
        refuse(path, 0, "its tables or lists are nested too deeply", "Nothing that rig reads is.")


def convert(document: dict[str, Any], into: type[T], text: str, path: str, page: str) -> T:
    """The document as a Struct. Raises `RigError` ``bad_config``; ``page`` is where all keys are listed."""
    try:
        return msgspec.convert(document, into)
    except msgspec.ValidationError as error:
        keys, problem, hint = _explain(document, into, ()) or ((), str(error), "")
        hint = hint or f"{page} lists all keys and their types."
        refuse(path, line_of(text, keys), problem, hint, key=".".join(keys))


def refuse(path: str, line: int, problem: str, hint: str, **details: Any) -> NoReturn:
    """Raise `RigError` ``bad_config`` for what stands in a line of a file, from 1; 0 where there is none."""
    where = f"{path}, line {line}" if line else path
    raise RigError("bad_config", f"{where}: {problem}.", hint, file=path, line=line, **details)


def _explain(value: Any, expected: Any, keys: Keys) -> tuple[Keys, str, str] | None:
    """What is wrong with ``value``: where, what, and a hint. None where nothing is."""
    expected = _alternative(value, expected)
    if isinstance(value, dict) and isinstance(expected, type) and issubclass(expected, msgspec.Struct):
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(expected)}
        for key, inner in value.items():
            if key not in fields:
                return (*keys, key), f"{_name((*keys, key))} is not known", _suggest(key, expected, keys)
            found = _explain(inner, fields[key], (*keys, key))
            if found:
                return found
        return None
    if isinstance(value, dict) and get_origin(expected) is dict:
        key_type, value_type = get_args(expected)
        for key, inner in value.items():
            found = _mismatch(key, key_type, (*keys, key)) or _explain(inner, value_type, (*keys, key))
            if found:
                return found
        return None
    return _mismatch(value, expected, keys)


def _alternative(value: Any, expected: Any) -> Any:
    """Of a union the member that is meant: the table for a table, else the rest."""
    if get_origin(expected) not in (Union, UnionType):
        return expected
    members = [member for member in get_args(expected) if member is not NoneType]
    tables = [m for m in members if get_origin(m) is dict or (isinstance(m, type) and issubclass(m, msgspec.Struct))]
    if isinstance(value, dict) and tables:
        return tables[0]
    rest = [member for member in members if member not in tables]
    return members[0] if len(members) == 1 else Union[tuple(rest or members)]  # noqa: UP007 - made at run time


def _mismatch(value: Any, expected: Any, keys: Keys) -> tuple[Keys, str, str] | None:
    try:
        msgspec.convert(value, expected)
    except msgspec.ValidationError as error:
        if concealed := _concealed(expected):
            return keys, f"{_name(keys)} is not {concealed}", "What it is instead is not shown: it may be a secret."
        reason = str(error).split(" - at ", maxsplit=1)[0]
        if "matching regex" in reason or "enum value" in reason:
            return keys, f"{_name(keys)} cannot be `{value}`", _rule(expected)
        for name, word in _WORDS.items():
            reason = reason.replace(f"`{name}`", word)
        quoted = (
            f'Write it in quotes: `{keys[-1]} = "{value}"`.'
            if isinstance(value, int) and "a text, got" in reason
            else ""
        )
        return keys, f"{_name(keys)}: {reason[:1].lower() + reason[1:]}", quoted
    return None


def _concealed(expected: Any) -> str:
    """What a value has to be that is never to be shown where it is something else; empty for all others."""
    metas = [meta for meta in getattr(expected, "__metadata__", ()) if meta.extra and meta.extra.get("concealed")]
    return str(metas[0].description) if metas else ""


_WORDS = {"int": "a whole number", "str": "a text", "object": "a table", "array": "a list", "bool": "true or false"}
"""msgspec's names of types → words for somebody who writes TOML."""

_RULES = {
    LABEL_PATTERN: LABEL_RULE,
    SIZE_PATTERN: "a size as 512M or 1G, a number of bytes, or none",
    PROCESS_PATTERN: "1 to 30 letters, digits, `-` and `_`",
    VARIABLE_PATTERN: "letters, digits and `_`, no digit first",
}


def _rule(expected: Any) -> str:
    """What the type allows, in words; of a list, what each item has to be."""
    bare = getattr(expected, "__origin__", expected) if hasattr(expected, "__metadata__") else expected
    if get_origin(bare) is list:
        return _rule(get_args(bare)[0])
    if get_origin(expected) is Literal:
        return "It is one of " + ", ".join(f"`{choice}`" for choice in get_args(expected)) + "."
    members = get_args(expected) if get_origin(expected) in (Union, UnionType) else (expected,)
    patterns = [meta.pattern for member in members for meta in getattr(member, "__metadata__", ()) if meta.pattern]
    rule = next((_RULES[pattern] for pattern in patterns if pattern in _RULES), "a path that begins with `/`")
    return f"It is {rule}."


def _name(keys: Keys) -> str:
    """``timeout`` in ``[build]``, as a reader of the file would say it."""
    table = f" in [{'.'.join(keys[:-1])}]" if len(keys) > 1 else ""
    return f"`{keys[-1]}`{table}" if keys else "the file"


def _suggest(key: str, table: type[msgspec.Struct], keys: Keys) -> str:
    import difflib

    fields = msgspec.structs.fields(table)
    near = difflib.get_close_matches(key.lower(), [field.encode_name for field in fields], n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    if not keys:
        for field in fields:
            if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
                inside = [inner.encode_name for inner in msgspec.structs.fields(field.type)]
                if key in inside:
                    return f"Did you mean `{key}` in [{field.name}]?"
    return "Known here: " + ", ".join(f"`{field.encode_name}`" for field in fields) + "."


def line_of(text: str, keys: Keys) -> int:
    """The line, from 1, on which the value at ``keys`` stands, or the nearest table above it; 0 where none is found.

    A reader of lines, not a parser: it knows headers, dotted keys and multi-line strings. The file was parsed before.
    """
    best = best_length = 0
    table: Keys = ()
    inside = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        was_inside, inside = inside, _still_inside(line, inside)
        if was_inside or not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("["):
            table = here = _split_key(stripped.strip("[").split("]", maxsplit=1)[0])
        else:
            here = (*table, *_split_key(stripped.split("=", maxsplit=1)[0]))
        shared = here[: len(keys)]  # `[apps.shop]` is where `apps` is, if nothing says it alone
        if len(shared) > best_length and keys[: len(shared)] == shared:
            best, best_length = number, len(shared)
    return best


def _still_inside(line: str, inside: str) -> str:
    """The quotes of the multi-line string that is open at the end of the line; empty where none is."""
    for quotes in ('"""', "'''"):
        if inside in ("", quotes) and line.count(quotes) % 2:
            return "" if inside else quotes
    return inside


def _split_key(key: str) -> Keys:
    return tuple(part.strip().strip("\"'") for part in key.split("."))
