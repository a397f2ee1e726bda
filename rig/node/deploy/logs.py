"""Kept output of builds and release commands, by release."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rig.contract.releases import LogLine
from rig.node.builder.model import BuildPaths
from rig.node.builder.output import read_logs
from rig.node.deploy.keys import build_of
from rig.node.paths import NodePaths
from rig.node.world import World


def kept_log(paths: NodePaths, app: str, version: int, step: Literal["build", "release"]) -> Path:
    """What the build or the release command of ``vN`` printed. A build's log is copied here when the build is over."""
    return paths.app(app) / "releases" / f"v{version}.{step}.jsonl"


class KeptBuildLogs:
    """The log of a release: its build's, then its release command's."""

    def __init__(self, paths: NodePaths, world: World) -> None:
        self._paths = paths
        self._world = world

    def lines(self, app: str, version: int, after: int, limit: int) -> tuple[list[LogLine], bool]:
        """Up to ``limit`` lines after the first ``after`` ones, and whether nothing will follow them."""
        state = self._world.app(app)
        release = state.releases[version]
        over = release.outcome != "pending"
        log = kept_log(self._paths, app, version, "build")
        if not over and not log.exists():
            build = BuildPaths(self._paths.app(app), build_of(state, version, release.started.isolation))
            # A complete build is an earlier release's, or is about to be kept: its output is no news here.
            log = log if build.record.exists() else build.log
        lines, all_of_them = read_logs((log, kept_log(self._paths, app, version, "release")), after, limit)
        return lines, over and all_of_them
