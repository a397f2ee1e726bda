"""A real node, real processes, real Caddy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import User, running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[User]:
    """A user on a fresh machine: nothing runs, nobody is logged in. What they start is ended."""
    user = User(tmp_path / "home")
    user.home.mkdir()
    yield user
    user.stop_everything()


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user with a node that runs and a network `demo`; the tests of a module share it, each with apps of its own."""
    with running(tmp_path_factory.mktemp("machine") / "home") as user:
        user.ok("create", "network", "demo")
        yield user
