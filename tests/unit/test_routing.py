"""Requests of commands: what the path says stands there alone, and the OpenAPI document tells of all the rest."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rig import __version__
from rig.contract.api import ROUTES, Route
from rig.contract.base import tag_of
from rig.contract.routing import command_of, in_path, request_of
from rig.node.http.openapi import document
from tests.security.test_roles import SAMPLES

PATHS = document(__version__)["paths"]
VALUES = {"network": "demo", "name": "web", "version": "1", "key": "k"}


def documented(route: Route) -> set[str]:
    """The fields that a request may carry beside those in its path, as the document has it."""
    operation: dict[str, Any] = PATHS[route.path][route.method.lower()]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return {one["name"] for one in operation["parameters"] if one["in"] == "query"} | set(body.get("properties", ()))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_the_document_has_every_field_that_is_sent(route: Route) -> None:
    request = request_of(SAMPLES[route.command]("demo", "web"))
    assert "{" not in request.path
    assert {*request.query, *(request.body or {})} <= documented(route), tag_of(route.command)


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if in_path(route)], ids=lambda route: tag_of(route.command)
)
def test_what_the_path_says_is_not_said_a_second_time(route: Route) -> None:
    path = {name: VALUES[name] for name in in_path(route) if "{" + name + "}" in route.path}
    for name in in_path(route):
        body = {name: "other"} if route.method in {"POST", "PATCH"} else None
        query = {} if body else {name: "other"}
        with pytest.raises(msgspec.ValidationError, match=f"Unknown field `{name}`"):
            command_of(route, path, query, body)
