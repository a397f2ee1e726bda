"""The generated pages of the reference. ``python -m tests.docs.generate``, or ``make docs``, writes them anew."""

from __future__ import annotations

from collections.abc import Callable

from tests.docs import api_page, commands_page, contract_pages
from tests.docs.markdown import ROOT

NOTICE = "<!-- Made by `make docs`; do not edit. -->\n\n"

FOLDER = ROOT / "docs" / "reference"

PAGES: dict[str, Callable[[], str]] = {
    "api.md": api_page.page,
    "commands.md": commands_page.page,
    "errors.md": contract_pages.errors,
    "events.md": contract_pages.event_page,
    "openapi.json": api_page.openapi,
    "output.md": contract_pages.output,
    "settings.md": contract_pages.settings,
}


def content(name: str) -> str:
    """What a page has to hold."""
    text = PAGES[name]()
    return NOTICE + text if name.endswith(".md") else text


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        (FOLDER / name).write_text(content(name), encoding="utf-8")


if __name__ == "__main__":
    main()
