"""From a command to its HTTP request and back, by the table of :mod:`rig.contract.api`.

The same rules hold on both sides: path parameters are fields of the command (``{network}/{name}`` of an app's path are
its ``app``), the other fields of a GET or DELETE are query parameters, those of a POST or PATCH the JSON body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, get_type_hints

import msgspec

from rig.contract.api import ROUTES, Route
from rig.contract.base import Command, option_of

_APP = "{network}/{name}"


class Request(msgspec.Struct, frozen=True):
    """An HTTP request without its host: what :func:`request_of` makes of a command."""

    method: str
    path: str
    query: dict[str, str | list[str]]
    body: dict[str, Any] | None


@cache
def route_of(command: type[Command]) -> Route:
    """The route by which a command travels. Raises `KeyError` for one that does not."""
    for route in ROUTES:
        if route.command is command:
            return route
    raise KeyError(command.__name__)


@cache
def in_path(route: Route) -> frozenset[str]:
    """The names that a route's path takes up: of its parameters, and ``app``, which two of them make."""
    names = frozenset(re.findall(r"\{(\w+)\}", route.path))
    return names | {"app"} if _APP in route.path else names


def request_of(command: Command) -> Request:
    """The request that carries ``command``."""
    route = route_of(type(command))
    fields: dict[str, Any] = msgspec.to_builtins(command)
    for name in {"type", *staying(type(command))} & set(fields):
        del fields[name]
    path = route.path
    if _APP in path:
        path = path.replace(_APP, fields.pop("app"))
    for name in [name for name in fields if "{" + name + "}" in path]:
        path = path.replace("{" + name + "}", str(fields.pop(name)))
    if route.method in {"GET", "DELETE"}:
        return Request(route.method, path, {name: _text(value) for name, value in fields.items()}, None)
    return Request(route.method, path, {}, fields)


def _text(value: Any) -> str | list[str]:
    """A value as a query parameter has it; a list is one that is given more than once."""
    if isinstance(value, list):
        return [str(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def staying(command: type[Command]) -> frozenset[str]:
    """The fields of a command that do not travel."""
    hints = get_type_hints(command, include_extras=True)
    return frozenset(name for name in command.__struct_fields__ if option_of(hints[name]).stays)


@cache
def lists_of(command: type[Command]) -> frozenset[str]:
    """The fields of a command that are lists: as query parameters they may be given more than once."""
    info = msgspec.inspect.type_info(command)
    assert isinstance(info, msgspec.inspect.StructType)
    return frozenset(
        field.encode_name for field in info.fields if isinstance(_bare(field.type), msgspec.inspect.ListType)
    )


def _bare(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    return info.type if isinstance(info, msgspec.inspect.Metadata) else info


def command_of(
    route: Route,
    path: Mapping[str, str],
    query: Mapping[str, str | list[str]],
    body: Mapping[str, Any] | None,
) -> Command:
    """The command that a request carries. Raises `msgspec.ValidationError` where a value breaks its rules."""
    known = {field.encode_name for field in msgspec.structs.fields(route.command)}
    known -= staying(route.command) | in_path(route)
    given = {**query, **(body or {})}
    unknown = sorted(set(given) - known)
    if unknown:
        raise msgspec.ValidationError(f"Unknown field `{unknown[0]}`")
    fields: dict[str, Any] = {**given, **path}
    if _APP in route.path:
        fields["app"] = f"{path['network']}/{path['name']}"
        del fields["network"], fields["name"]
    # Path and query values are all text; a JSON body keeps its types.
    return msgspec.convert(fields, route.command, strict=body is not None and not set(path) - {"network", "name"})
