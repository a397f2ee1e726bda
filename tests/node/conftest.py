"""Builders with and without a sandbox, a store whose days pass as the test says, and a node that does not rest long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rig.node.bundles.store import Store
from rig.node.deploy import making
from rig.node.runtime.driver import Driver, IsolationName
from rig.node.runtime.isolation import probe
from rig.node.runtime.process import ProcessDriver
from tests.node.building import App
from tests.node.collecting import Clock


def isolations() -> list[Any]:
    problem = probe()
    skip = pytest.mark.skipif(bool(problem) and os.environ.get("CI") != "true", reason=problem)
    return ["none", pytest.param("bubblewrap", marks=skip)]


@pytest.fixture(params=isolations())
def driver(request: pytest.FixtureRequest) -> Driver:
    isolation: IsolationName = request.param
    return ProcessDriver(isolation)


@pytest.fixture
def app(tmp_path: Path, driver: Driver) -> App:
    return App(tmp_path / "app", driver)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = Store(tmp_path / "store", clock=clock)
    yield store
    store.close()


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be recorded is tried again at once."""
    monkeypatch.setattr(making, "RECORD_PAUSE", 0.01)
