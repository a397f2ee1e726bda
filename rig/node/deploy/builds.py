"""Which builds the node still has."""

from __future__ import annotations

from rig.node.builder.model import BuildPaths, load_build
from rig.node.paths import NodePaths


class KeptBuilds:
    """The builds of every app, as they are on the disk."""

    def __init__(self, paths: NodePaths) -> None:
        self._paths = paths

    def has(self, app: str, build: str) -> bool:
        """Whether a build is there and complete."""
        return bool(build) and self._of(app, build).record.exists()

    def made(self, app: str, build: str) -> int:
        """When a build was made, in nanoseconds since the epoch; 0 where it is not there. A copy has that of the first
        one."""
        kept = load_build(self._of(app, build)) if build else None
        return kept.built_at if kept else 0

    def _of(self, app: str, build: str) -> BuildPaths:
        return BuildPaths(self._paths.app(app), build)
