"""A Struct as the command line sees it: its fields with their options, and from text values to the Struct.

Every field becomes an argument or an option, described by its `msgspec.Meta`; values stay text until `msgspec.convert`
makes them what the field says, so a wrong one is refused with the same words everywhere.
"""

from __future__ import annotations

from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from rig.contract.base import CommandOption, description_of, option_of
from rig.kernel.errors import RigError

S = TypeVar("S", bound=msgspec.Struct)


class Field(msgspec.Struct, frozen=True):
    """One field that has a place on the command line."""

    name: str
    type: Any
    option: CommandOption
    help: str
    required: bool
    default: Any

    @property
    def base(self) -> Any:
        """The type without its annotations, and without the null of what need not be said."""
        bare = _bare(self.type)
        others = [each for each in get_args(bare) if each is not type(None)]
        return _bare(others[0]) if len(others) < len(get_args(bare)) else bare

    @property
    def many(self) -> bool:
        """Whether it may be given more than once."""
        return get_origin(self.base) in {list, tuple, dict}

    @property
    def is_the_app(self) -> bool:
        """Whether it is the app that the command is about, which rig.toml may name."""
        return self.name == "app" and self.option.completes == "apps"

    @property
    def optional(self) -> bool:
        """Whether it may be left out. Of the app `rig.cli.naming` has the last word."""
        return not self.required or self.is_the_app

    @property
    def flags(self) -> tuple[str, ...]:
        """``("--message", "-m")``, or ``("--browser/--no-browser",)``."""
        return self.option.flags or ("--" + self.name.replace("_", "-"),)

    @property
    def metavar(self) -> str:
        """What stands for the value in help; empty for a flag, which has none. The page shows what is optional."""
        if self.option.metavar or self.base is bool:
            name = self.option.metavar
            return name[1:-1] if name.startswith("[") and name.endswith("]") else name
        choices = [choice for choice in _choices(self.base) if choice]
        return "|".join(choices) or ("N" if self.base is int else self.name.upper())

    @property
    def shown_default(self) -> str:
        """The default, where it says something: 0, -1 and an empty text stand for none."""
        plain = isinstance(self.default, (int, str)) and not isinstance(self.default, bool)
        return str(self.default) if plain and self.default not in (0, -1) else ""

    @property
    def label(self) -> str:
        """How messages name it: ``--message``, or the metavar of an argument."""
        return self.metavar if self.option.positional else self.flags[0]


def _bare(annotated: Any) -> Any:
    return get_args(annotated)[0] if get_origin(annotated) is Annotated else annotated


@cache
def fields_of(struct: type[msgspec.Struct]) -> tuple[Field, ...]:
    """The fields of a Struct that have a place on the command line."""
    hints = get_type_hints(struct, include_extras=True)
    fields = []
    for field in msgspec.structs.fields(struct):
        option = option_of(hints[field.name])
        if option.wire_only:
            continue
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
        text = description_of(hints[field.name])
        fields.append(Field(field.name, hints[field.name], option, text, field.required, default))
    return tuple(fields)


def convert(struct: type[S], values: dict[str, Any], prog: str) -> S:
    """Text values → the Struct. Raises `RigError` ``usage`` that names the option."""
    fields = {field.name: field for field in fields_of(struct)}
    ready = {name: _pairs(fields[name], value) for name, value in values.items()}
    try:
        return msgspec.convert(ready, struct, strict=False)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        name = path.split("`")[0].split(".")[0].split("[")[0]
        if name in fields:
            raise _refusal(fields[name], values.get(name), reason) from error
        missing = next((field for field in fields.values() if field.required and field.name not in values), None)
        if missing and "missing required field" in reason:
            kind = "argument" if missing.option.positional else "option"
            reason = f"Missing {kind} '{missing.label}'"
        raise RigError("usage", f"{reason}.", f"See `{prog} --help`.") from error


def _refusal(field: Field, given: Any, reason: str) -> RigError:
    """What is wrong with a value, in the words of the command line and not of Python."""
    shown = ", ".join(given) if isinstance(given, list) else given
    if isinstance(given, str) and "=" in given:
        shown = given.partition("=")[0] + "=…"  # what stands behind it may be a secret
    choices = [choice for choice in _choices(field.base) if choice]
    rule = field.help
    if choices:
        rule = f"It is one of: {', '.join(choices)}."
    elif "`int`" in reason:
        bounds = reason.partition("`int` ")[2].replace(">=", "of at least").replace("<=", "of at most")
        rule = f"It is a whole number {bounds}".rstrip() + "." if ", got" not in reason else "It is a whole number."
    return RigError("usage", f"{field.label} cannot be `{shown}`.", rule)


def _choices(base: Any) -> tuple[Any, ...]:
    """The values that a field allows, where they can be counted."""
    if get_origin(base) in {Union, UnionType}:
        return tuple(choice for member in get_args(base) for choice in _choices(member))
    return get_args(base) if get_origin(base) is Literal else ()


def _pairs(field: Field, value: Any) -> Any:
    """``["web=2"]`` → ``{"web": "2"}`` where the field is a map."""
    if get_origin(field.base) is not dict or isinstance(value, dict):
        return value
    pairs = {}
    for text in value:
        name, sign, number = text.partition("=")
        if not sign or not name:
            raise RigError(
                "usage",
                f"{field.label}: `{text}` is not of the form {field.metavar or 'NAME=VALUE'}.",
                field.help,
            )
        pairs[name] = number
    return pairs
