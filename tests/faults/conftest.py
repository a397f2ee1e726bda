"""One node for a module of faults, with a user whose commands run in the test's own process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rig.clients import http as client_http
from rig.clients import upload as client_upload
from rig.clients.http import Patience
from tests.e2e.rig import User, running

HASTE = Patience(retries=0.15)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user with a node that runs, a network `demo`, and no time."""
    with running(tmp_path_factory.mktemp("machine") / "home") as user:
        user.ok("create", "network", "demo")
        yield user


@pytest.fixture
def in_process(user: User, monkeypatch: pytest.MonkeyPatch) -> User:
    """The user's commands may be run by `run_rig`."""
    for name in ("RIG_URL", "RIG_TOKEN", "RIG_CONTEXT", "RIG_OUTPUT", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RIG_HOME", str(user.home))
    monkeypatch.setattr(client_http, "PATIENCE", HASTE)
    monkeypatch.setattr(client_upload, "LONGEST_RETRY", 0.15)
    return user
