"""What the contract lets through by a pattern ends where the pattern does."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

import rig.contract
from rig.contract.api import ROUTES
from rig.contract.routing import command_of
from rig.node.accounts import oauth


def structs() -> list[type[msgspec.Struct]]:
    modules = [
        importlib.import_module(f"rig.contract.{found.name}") for found in pkgutil.iter_modules(rig.contract.__path__)
    ]
    return [
        value
        for module in [*modules, oauth]
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, msgspec.Struct)
    ]


def patterns(hint: Any) -> set[str]:
    """Every pattern in a type, however deep."""
    found = {meta.pattern for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta)} - {None}
    inner = get_args(hint)[:1] if get_origin(hint) is Annotated else get_args(hint)
    for each in inner:
        found |= patterns(each)
    return {each for each in found if each is not None}


ALL = sorted(
    {
        pattern
        for struct in structs()
        for hint in get_type_hints(struct, include_extras=True).values()
        for pattern in patterns(hint)
    }
)


def test_there_are_patterns() -> None:
    assert len(ALL) > 10


@pytest.mark.parametrize("pattern", ALL)
def test_no_line_end_passes_behind_a_pattern(pattern: str) -> None:
    """`$` alone would let one pass, and a name that ends in it would be another name that looks the same."""
    assert pattern.startswith("^")
    assert pattern.endswith(r"$(?!\n)")
    for text in ("a", "a/b", "1", "v1", "1h", "A", "/", "http://a", "a" * 40, "a" * 64, ""):
        if re.search(pattern, text):
            assert not re.search(pattern, text + "\n")


@pytest.mark.parametrize("name", ["demo\n", "Demo", "demo-", "démo", "demo/x", "..", "", "a" * 64, "demo\0"])
def test_such_a_name_is_refused_by_every_route(name: str) -> None:
    for route in ROUTES:
        fields = {field.encode_name for field in msgspec.structs.fields(route.command)}
        if "app" in fields and "{network}" in route.path:
            with pytest.raises(msgspec.ValidationError):
                command_of(route, {"network": "demo", "name": name}, {}, {})
            with pytest.raises(msgspec.ValidationError):
                command_of(route, {"network": name, "name": "app"}, {}, {})
        elif "{name}" in route.path:
            with pytest.raises(msgspec.ValidationError):
                command_of(route, {"name": name}, {}, None)
