"""Every command there is, and the JSON Schema of what answers it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from inspect import cleandoc
from pkgutil import iter_modules
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

import rig.contract
from rig.contract.base import SCHEMA, Command, Reply, arg, tag_of
from rig.contract.errors import ErrorBody


class Schema(Reply, frozen=True, kw_only=True):
    """JSON Schemas by kind, each of the whole document that `-o json` prints."""

    schemas: dict[str, dict[str, Any]]


class ShowSchema(Command, frozen=True, kw_only=True, tag="schema.show"):
    """Show the JSON Schema of a kind of output; of every kind without KIND."""

    kind: ClassVar[str] = "schema"
    reply: ClassVar[type[Reply]] = Schema

    name: Annotated[str, Meta(max_length=60), arg("The `kind` of an envelope, as `app`.", metavar="[KIND]")] = ""


def all_commands() -> list[type[Command]]:
    """Every command of the contract, by tag."""
    for module in iter_modules(rig.contract.__path__):
        import_module(f"rig.contract.{module.name}")
    ours = [command for command in Command.__subclasses__() if command.__module__.startswith("rig.contract.")]
    return sorted(ours, key=tag_of)


def replies() -> dict[str, type[Reply]]:
    """Kind → what its ``data`` is."""
    return {command.kind: command.reply for command in all_commands() if command.kind}


def envelope_schema(kind: str, reply: type[Reply]) -> dict[str, Any]:
    """The schema of one kind's document, success and failure: JSON Schema 2020-12."""
    (data, error), components = components_of([reply, ErrorBody], "#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind,
        "type": "object",
        "required": ["schema", "kind", "data", "error", "warnings"],
        "properties": {
            "schema": {"const": SCHEMA},
            "kind": {"const": kind},
            "data": {"anyOf": [data, {"type": "null"}]},
            "error": {"anyOf": [error, {"type": "null"}]},
            "warnings": {"type": "array", "items": {"type": "string"}},
        },
        "$defs": components,
    }


def components_of(types: Sequence[type], ref: str) -> tuple[Sequence[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Their JSON Schemas, and by name those of all that they hold; ``ref`` is the template of a reference to one.

    Python before 3.13 keeps the indentation of a docstring; here it is gone, so that every Python makes the same text.
    """
    schemas, components = msgspec.json.schema_components(types, ref_template=ref)
    for component in components.values():
        if "description" in component:
            component["description"] = cleandoc(component["description"])
    return schemas, components
