"""From argv to values: which field was given which text.

typer takes longer to import than a whole local command, so what is plain is read here, as typer would read it: a
property test holds the two together. Help, mistakes and all that is unusual are left to typer, which has the words for
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rig.cli.fields import Field, convert, fields_of
from rig.cli.globals import PREFIX, GlobalOptions
from rig.contract.base import Command, CommandOption

SURE = "yes_to_all"
_SURE = Field(SURE, bool, CommandOption(flags=("--yes", "-y")), "Do not ask.", required=False, default=False)


class Parsed(msgspec.Struct, frozen=True):
    """What a command line says."""

    given: dict[str, Any]
    """The fields of the command that were given, as text."""
    options: GlobalOptions
    sure: bool
    """Whether ``--yes`` was given."""


class _Option(msgspec.Struct, frozen=True):
    name: str
    many: bool = False
    constant: bool | None = None
    """The value of a flag; None for an option that takes one."""


def parse(command: type[Command], prog: str, argv: list[str], *, confirms: bool) -> Parsed | None:
    """Read the arguments of one command; None when help was asked for and printed. Raises `RigError` ``usage``."""
    fields = {field.name: field for field in fields_of(command)}
    fields |= {PREFIX + field.name: field for field in fields_of(GlobalOptions)}
    if confirms:
        fields[SURE] = _SURE
    values = read(fields, argv)
    if values is None:
        from rig.cli.adapter import parse_with_typer

        values = parse_with_typer(command, fields, prog, argv)
    if values is None:
        return None
    sure = bool(values.pop(SURE, False))
    shared = {name.removeprefix(PREFIX): values.pop(name) for name in list(values) if name.startswith(PREFIX)}
    return Parsed(values, convert(GlobalOptions, shared, prog), sure)


def read(fields: Mapping[str, Field], argv: Sequence[str]) -> dict[str, Any] | None:
    """What was given, as text, booleans and lists of text; None for an argv that is better left to typer."""
    options = _options(fields)
    values: dict[str, Any] = {}
    words: list[str] = []
    rest = list(reversed(argv))
    while rest:
        token = rest.pop()
        if token == "--":
            words += reversed(rest)
            break
        if not token.startswith("-") or token == "-":
            words.append(token)
            continue
        if token.startswith("--"):
            flag, joined, value = token.partition("=")
        else:
            flag, joined, value = token[:2], token[2:], token[2:]
        option = options.get(flag)
        if option is None or (joined and option.constant is not None):
            return None
        if option.constant is not None:
            values[option.name] = option.constant
        elif not joined and not rest:
            return None
        else:
            text = value if joined else rest.pop()
            values[option.name] = [*values.get(option.name, ()), text] if option.many else text
    places = [(name, field) for name, field in fields.items() if field.option.positional]
    if any(field.many for _, field in places[:-1]):
        return None
    if any(not field.optional for _, field in places[len(words) :]):
        return None
    if places and places[-1][1].many:
        name, _ = places.pop()
        words, several = words[: len(places)], words[len(places) :]
        values |= {name: several} if several else {}
    if len(words) > len(places):
        return None
    return values | {name: word for (name, _), word in zip(places, words, strict=False)}


def _options(fields: Mapping[str, Field]) -> dict[str, _Option]:
    options = {}
    for name, field in fields.items():
        if field.option.positional:
            continue
        for flag in field.flags:
            if field.base is bool:
                on, _, off = flag.partition("/")
                options[on] = _Option(name, constant=True)
                if off:
                    options[off] = _Option(name, constant=False)
            else:
                options[flag] = _Option(name, many=field.many)
    return options
