"""A journal of a few records, for the tests of evidence. Others have journals of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.journal import Journal
from tests.storage.evidencing import COUNT
from tests.storage.support import START, FakeClock, completed, fill, open_journal, stamp


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Nine intents, a second apart, the last one ended."""
    fill(tmp_path, COUNT - 1)
    with open_journal(tmp_path, clock=FakeClock(START + (COUNT - 1) * 1_000_000_000)) as opened:
        opened.append([completed("command:0")], stamp())
        yield opened
