"""Apps on disk, for tests, and builds of them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rig.contract.project import AppConfig, BuildConfig, ProcessConfig
from rig.kernel.errors import RigError
from rig.node.builder.launch import launch
from rig.node.builder.model import Build, BuildPaths, BuildRequest
from rig.node.builder.pipeline import build
from rig.node.runtime.driver import Driver, ProcessSpec
from tests.support import TIMEOUT

Files = dict[str, str]

OFFLINE = {"PIP_NO_INDEX": "1"}


class App:
    """One app on disk, and builds of it."""

    def __init__(self, folder: Path, driver: Driver) -> None:
        self.folder = folder
        self.driver = driver
        self.lines: list[str] = []

    def paths(self, name: str = "one", files: Files | None = None) -> BuildPaths:
        """A new build with this source."""
        paths = BuildPaths(self.folder, name)
        paths.source.mkdir(parents=True)
        for path, content in (files or {}).items():
            file = paths.source / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return paths

    def build(
        self,
        paths: BuildPaths,
        config: AppConfig | None = None,
        *,
        env: dict[str, str] | None = None,
        settings: dict[str, str] | None = None,
    ) -> Build:
        self.lines = []
        request = BuildRequest(
            owner="demo/app", paths=paths, config=config or AppConfig(), env=env or {}, settings=settings or {}
        )
        return asyncio.run(build(request, self.driver, self.lines.append))

    def run(self, built: Build, paths: BuildPaths, command: str, **env: str) -> list[str]:
        """What a command prints when it is run on a build."""
        started = launch(built, paths, self.driver, command=command, env=env)
        state = self.folder / "run"
        printed: list[str] = []
        spec = ProcessSpec(
            id="run",
            owner="demo/app",
            argv=started.argv,
            env=started.env,
            cwd=started.cwd,
            mounts=started.mounts,
            state_dir=state / "state",
            log_dir=state / "log",
        )
        asyncio.run(self.driver.run(spec, TIMEOUT, printed.append))
        shutil.rmtree(state)
        return printed


def command(line: str, **build: Any) -> AppConfig:
    return AppConfig(build=BuildConfig(builder="procfile", command=line, **build), processes={"web": WEB})


WEB = ProcessConfig(command="true")


def failure(act: Callable[[], object]) -> RigError:
    with pytest.raises(RigError) as caught:
        act()
    return caught.value
