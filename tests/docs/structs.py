"""What a Struct says of itself, for the pages of the reference: its fields, their types in words, their docstrings."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from rig.contract.base import CommandOption, description_of, option_of

PLAIN = {str: "text", int: "integer", bool: "boolean", Any: "any", type(None): "null"}


Structs = tuple[type[msgspec.Struct], ...]


class Field(msgspec.Struct, frozen=True):
    """One row of a table of fields."""

    name: str
    type: str
    default: str
    meaning: str
    option: CommandOption
    inner: Structs
    """Structs that its type mentions."""


def summary(thing: type) -> str:
    """The docstring as one paragraph per paragraph, empty where there is none of its own."""
    text = inspect.cleandoc(thing.__dict__.get("__doc__") or "")
    return prose("\n\n".join(" ".join(part.split()) for part in text.split("\n\n")))


def prose(text: str) -> str:
    """reStructuredText's double backquotes as Markdown's, and links to code as its name."""
    return (
        text.replace("``", "`").replace(":data:", "").replace(":class:", "").replace(":mod:", "").replace(":func:", "")
    )


def fields(struct: type[msgspec.Struct]) -> list[Field]:
    """The fields of ``struct``, in order."""
    hints = get_type_hints(struct, include_extras=True)
    said = attribute_docs(struct)
    rows = []
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        described = description_of(hint)
        meaning = described if option_of(hint).flags or option_of(hint).positional else said.get(field.name, described)
        rows.append(
            Field(
                name=field.encode_name,
                type=type_text(hint),
                default=_default(field),
                meaning=prose(meaning or said.get(field.name, "")),
                option=option_of(hint),
                inner=tuple(structs_in(hint)),
            )
        )
    return rows


def attribute_docs(struct: type) -> dict[str, str]:
    """The string behind each attribute of a class, its bases' included."""
    found: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        if not issubclass(base, msgspec.Struct) or base is msgspec.Struct:
            continue
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(node, ast.ClassDef)
        for before, after in zip(node.body, node.body[1:], strict=False):
            is_field = isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name)
            if is_field and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                found[before.target.id] = " ".join(str(after.value.value).split())  # type: ignore[attr-defined]
    return found


def metas(hint: Any) -> list[msgspec.Meta]:
    return [meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]


def type_text(hint: Any) -> str:
    """``list of [Release](#release)``, ``integer, 1 to 1000``, `` `a`, `b` ``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return ", ".join([type_text(arguments[0]), *filter(None, map(_bounds, metas(hint)))])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments if value != "")
    if origin in {list, tuple}:
        return f"list of {type_text(arguments[0])}"
    if origin is dict:
        return f"map of {type_text(arguments[1])}"
    if origin in {Union, UnionType}:
        return " or ".join(type_text(part) for part in arguments if part is not Literal[""])
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return PLAIN[hint]


def link(reply: type[msgspec.Struct]) -> str:
    """A link to what a reply is, from another page than its own."""
    return f"[{reply.__name__}](output.md#{reply.__name__.lower()})"


def _bounds(meta: msgspec.Meta) -> str:
    if meta.ge is not None and meta.le is not None:
        return f"{meta.ge} to {meta.le}"
    if meta.ge is not None:
        return f"{meta.ge} or more"
    if meta.max_length is not None:
        return f"at most {meta.max_length} characters"
    return ""


def _default(field: Any) -> str:
    if field.required:
        return "required"
    value = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    if isinstance(value, (bool, int, str)) and value != "":
        return f"`{msgspec.json.encode(value).decode()}`" if not isinstance(value, str) else f"`{value}`"
    return ""


def structs_in(hint: Any) -> list[type[msgspec.Struct]]:
    """The Structs that a type mentions."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return [hint]
    return [struct for part in get_args(hint) for struct in structs_in(part)]


def table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(headers) + " |", "|" + "---|" * len(headers)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines).replace("|  |", "| |").replace("|  |", "| |") + "\n"
