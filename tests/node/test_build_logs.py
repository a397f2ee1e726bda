"""Which lines belong to a release: those of its own build and release command, and of no other's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig.node.builder.model import BuildPaths
from rig.node.builder.output import BuildLog
from rig.node.deploy import logs
from rig.node.deploy.logs import KeptBuildLogs, kept_log
from rig.node.paths import NodePaths

APP, KEY = "demo/hello", "0a1b"


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    found = NodePaths(tmp_path)
    (found.app("demo/hello") / "releases").mkdir(parents=True)
    build = BuildPaths(found.app("demo/hello"), KEY)
    build.log.parent.mkdir(parents=True)
    with BuildLog(build.log) as log:
        log.output("building")
    return found


def texts(paths: NodePaths, *, build: str = KEY, outcome: str = "pending") -> list[str]:
    release = SimpleNamespace(build=build, outcome=outcome, started=SimpleNamespace(config={}, isolation="none"))
    world: Any = SimpleNamespace(app=lambda name: SimpleNamespace(releases={2: release}))
    return [line.text for line in KeptBuildLogs(paths, world).lines(APP, 2, 0, 100)[0]]


def test_a_build_is_read_while_it_is_made(paths: NodePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "build_of", lambda *given: KEY)
    assert texts(paths, build="") == ["building"]


@pytest.mark.parametrize("outcome", ["pending", "succeeded"])
def test_output_of_a_build_that_was_there_before_is_no_news(paths: NodePaths, outcome: str) -> None:
    BuildPaths(paths.app("demo/hello"), KEY).record.touch()
    with BuildLog(kept_log(paths, APP, 2, "release")) as log:
        log.output("migrating")
    assert texts(paths, outcome=outcome) == ["migrating"], "the same while it goes on and when it is over"
