"""The generated pages are those that the code makes now, and name everything there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rig.cli.verb import DIFFERENCES
from rig.contract.api import ROUTES
from rig.contract.errors import ERRORS
from rig.contract.schemas import all_commands
from rig.contract.settings import SETTINGS
from tests.docs.commands_page import verbs
from tests.docs.contract_pages import EXITS, event_types
from tests.docs.generate import FOLDER, PAGES, content
from tests.docs.markdown import ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == content(name), f"docs/reference/{name} is not what the code says now: run `make docs`"


def reference(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", [name for name, _ in verbs()])
def test_every_verb_is_documented(verb: str) -> None:
    assert f"\n### rig {verb}\n" in reference("commands.md")


@pytest.mark.parametrize("command", all_commands(), ids=lambda command: command.__name__)
def test_every_command_says_what_it_does(command: type) -> None:
    assert (command.__dict__["__doc__"] or "").strip().endswith(".")


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_code_is_documented(code: str) -> None:
    assert f"\n| `{code}` | " in reference("errors.md")


def test_every_exit_code_is_documented() -> None:
    assert {kind.exit for kind in ERRORS.values()} | {0, DIFFERENCES} == set(EXITS)


@pytest.mark.parametrize("event", sorted(event_types()))
def test_every_event_is_documented(event: str) -> None:
    assert f"\n### {event}\n" in reference("events.md")


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_is_documented(setting: str) -> None:
    assert f"\n| `{setting}` | " in reference("settings.md")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_documented(route: object) -> None:
    assert f"\n| `{route.method} {route.path}` | " in reference("api.md")  # type: ignore[attr-defined]


def variables() -> set[str]:
    """Every environment variable of rig's own that its source names."""
    named: set[str] = set()
    for room in ("rig", "handlers", "storage"):
        for path in (ROOT / room).rglob("*.py"):
            named |= set(re.findall(r"\bRIG_[A-Z_]+\b", path.read_text(encoding="utf-8")))
    return named


@pytest.mark.parametrize("variable", sorted(variables()))
def test_every_variable_is_documented(variable: str) -> None:
    pages = (Path(FOLDER / "environment.md"), Path(FOLDER / "settings.md"))
    assert any(f"`{variable}`" in page.read_text(encoding="utf-8") for page in pages)
