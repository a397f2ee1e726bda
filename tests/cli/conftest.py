"""One real node for all tests of the command line, and homes of their own for those that need none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.runner import Shell
from tests.e2e.rig import PATIENTLY
from tests.support import free_port

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "hello-static"


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell that is logged in to a node with the network `demo`, the app `demo/site` and the app `demo/empty`.

    Its folder holds `site`, which can be deployed, and `broken`, whose release command fails.
    """
    folder = tmp_path_factory.mktemp("platform")
    shutil.copytree(EXAMPLE, folder / "site")
    (folder / "broken").mkdir()
    (folder / "broken" / "Procfile").write_text("web: true\nrelease: echo No database here.; exit 3\n")
    shell = Shell(folder / "home", folder)
    ports = ("--port", str(free_port()), "--api-port", str(free_port()))
    started = shell.process("node", "start", *ports, *PATIENTLY, "--isolation", "none")
    assert started.code == 0, started
    try:
        shell.do("login")
        shell.do("create", "network", "demo")
        shell.do("deploy", "site", "--app", "demo/site", "--create", "--message", "The first one")
        shell.do("create", "app", "demo/empty")
        yield shell
    finally:
        stopped = shell.process("node", "stop", *PATIENTLY)
        assert stopped.code == 0, stopped


@pytest.fixture
def fresh(tmp_path: Path) -> Shell:
    """A shell on a machine where rig never ran."""
    return Shell(tmp_path / "home", tmp_path)
