"""The OpenAPI 3.1 document, made from the contract. `docs/reference/openapi.json` is a checked copy."""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec

from rig.contract.api import ROUTES, Route
from rig.contract.base import tag_of
from rig.contract.errors import Problem
from rig.contract.routing import in_path, staying
from rig.contract.schemas import components_of
from rig.node.http.api import MAX_HEADER, REVISION

REF = "#/components/schemas/{name}"


def document(version: str) -> dict[str, Any]:
    """The whole document."""
    types: list[type] = [route.command for route in ROUTES] + [route.command.reply for route in ROUTES] + [Problem]
    _, components = components_of(types, REF)
    for route in ROUTES:
        # A command is spread over path, query and body; whole it never travels.
        components.pop(route.command.__name__, None)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Max API",
            "version": "v1",
            "description": "Networks, apps and releases of a Max platform. Bundles travel by routes of their own, see "
            "docs/bundles.md.",
            "x-server": version,
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "responses": {
                "Problem": {
                    "description": "A refusal, RFC 9457, with rig's code and hint.",
                    "content": {"application/problem+json": {"schema": {"$ref": REF.format(name="Problem")}}},
                }
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    names = [part.strip("{}") for part in route.path.split("/") if part.startswith("{")]
    fields = {field.encode_name: field for field in msgspec.structs.fields(route.command)}
    hints = get_type_hints(route.command, include_extras=True)
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    operation: dict[str, Any] = {
        "operationId": tag_of(route.command),
        "summary": _summary(route.command),
        "x-permission": route.permission,
        "responses": {
            str(route.status): {
                "description": _summary(route.command.reply),
                "content": {"application/json": {"schema": {"$ref": REF.format(name=route.command.reply.__name__)}}},
            },
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    if route.method in {"GET", "DELETE"}:
        for name, field in fields.items():
            if name in in_path(route) | staying(route.command):
                continue
            schema = msgspec.json.schema(hints[field.name])
            parameters.append({"name": name, "in": "query", "required": field.required, "schema": schema})
    else:
        operation["requestBody"] = {"content": {"application/json": {"schema": _body(route)}}}
    if route.method != "GET":
        key = {"type": "string", "maxLength": MAX_HEADER}
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": key})
        if "expect" in fields:
            tag = {"type": "string", "pattern": rf"^(\*|{REVISION})$"}
            parameters.append({"name": "If-Match", "in": "header", "required": False, "schema": tag})
    operation["parameters"] = parameters
    return operation


def _summary(struct: type) -> str:
    """First line of its docstring, or its name."""
    return (struct.__doc__ or struct.__name__).strip().splitlines()[0]


def _body(route: Route) -> dict[str, Any]:
    """The command's schema without what stands in the path and without the tag, which the route implies."""
    _, components = components_of([route.command], REF)
    schema = dict(components[route.command.__name__])
    dropped = in_path(route) | {"type"} | staying(route.command)
    schema["properties"] = {name: value for name, value in schema["properties"].items() if name not in dropped}
    schema["required"] = [name for name in schema.get("required", []) if name not in dropped]
    return schema
