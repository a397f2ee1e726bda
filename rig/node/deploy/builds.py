"""Which builds the node still has."""

from __future__ import annotations

from rig.contract.names import split_app
from rig.node.builder.model import BuildPaths
from rig.node.paths import NodePaths


class KeptBuilds:
    """The builds of every app, as they are on the disk."""

    def __init__(self, paths: NodePaths) -> None:
        self._paths = paths

    def has(self, app: str, build: str) -> bool:
        """Whether a build is there and complete."""
        return bool(build) and BuildPaths(self._paths.app(*split_app(app)), build).record.exists()
