"""Links lead somewhere, and every page can be reached from the README."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, anchors, links, name_of, pages


def targets(page: Path) -> list[tuple[Path, str]]:
    """The files that a page links to, each with its anchor."""
    found = []
    for link in links(page.read_text(encoding="utf-8")):
        if not link.startswith(("https://", "http://")):
            path, _, anchor = link.partition("#")
            found.append((Path(os.path.normpath(page.parent / path)) if path else page, anchor))
    return found


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in targets(page):
        assert target.exists(), f"{name_of(page)} links to {target.relative_to(ROOT)}, which is not there"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{name_of(target)} has no #{anchor}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            waiting += [target for target, _ in targets(page) if target.suffix == ".md"]
    assert [name_of(page) for page in pages() if page not in reached] == []
