"""Every page is carried out, from its first block to its last, against a real node of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.docs.checkout import Checkout
from tests.docs.markdown import ROOT, blocks, name_of, pages

RUNNABLE = [page for page in pages() if any(block.runs for block in blocks(page.read_text(encoding="utf-8")))]


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    made = Checkout(tmp_path)
    yield made
    made.close()


@pytest.mark.needs("bash", "git", "bwrap", "curl")
@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_page_does_what_it_says(page: Path, checkout: Checkout) -> None:
    for block, following in pairwise([*blocks(page.read_text(encoding="utf-8")), None]):
        assert block is not None
        printed = following.text if following is not None and following.language == "output" else None
        checkout.follow(block, printed)


def test_the_pages_that_teach_are_carried_out() -> None:
    teaching = {"README.md", "docs/tutorial.md", "docs/tour.md"}
    teaching |= {name_of(page) for page in (ROOT / "docs" / "guides").glob("*.md")}
    teaching -= {"docs/guides/builds.md", "docs/guides/isolation.md"}  # which tell, and have nothing to do
    assert teaching <= {name_of(page) for page in RUNNABLE}


def test_a_new_verb_touches_nothing_but_its_places() -> None:
    guide = ROOT / "docs" / "guides" / "add-a-verb.md"
    touched = {block.path for block in blocks(guide.read_text(encoding="utf-8")) if block.path}
    places = ("rig/cli/", "rig/contract/", "rig/node/handlers/", "handlers/", "events/", "tests/")
    assert {path for path in touched if not path.startswith(places)} == {"rig/verbs.py"}
