"""Arms failpoints for processes that have their folder in ``RIG_FAILPOINTS``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rig.kernel.failpoints import POINTS

Action = Literal["kill", "stop", "error"]


class Failpoints:
    """One folder of armed points, for the processes of one kind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    @property
    def environ(self) -> dict[str, str]:
        return {"RIG_FAILPOINTS": str(self.folder)}

    def arm(self, point: str, action: Action = "kill", after: int = 0) -> None:
        """Whoever reaches ``point`` for the time after ``after`` times is ended, stopped or fails there."""
        assert point in POINTS
        self.clear()
        (self.folder / f"{point}={action}={after}").touch()

    def reached(self) -> bool:
        """Whether what was armed has acted."""
        return any(path.name.endswith("=reached") for path in self.folder.iterdir())

    def clear(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()
