"""A bus on a real journal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from rig.kernel.bus import Bus
from storage.journal import Journal
from tests.storage.support import open_journal
from tests.unit.buses import HANDLER, Handler, make_bus


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Handler:
    handler = Handler()
    monkeypatch.setitem(sys.modules, HANDLER, SimpleNamespace(handle=handler.handle))
    return handler


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(tmp_path) as journal:
        yield journal


@pytest.fixture
def bus(journal: Journal) -> Bus[None]:
    return make_bus(journal)
