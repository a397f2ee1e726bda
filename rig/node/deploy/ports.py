"""What a deployer needs of the rest of the node."""

from __future__ import annotations

from typing import Protocol

from events.base import Fact
from rig.kernel.ports import Recorded


class Record(Protocol):
    """Puts facts about an app on the node's record, under the actor and correlation of what they follow from."""

    async def __call__(self, app: str, facts: list[Fact], *, outcome: str, cause: Recorded | None) -> None: ...


class Secrets(Protocol):
    """The values of secrets."""

    def reveal(self, scope: str, name: str, version: int) -> str:
        """The value of one version of a secret. Raises `RigError` where it cannot be decrypted."""
        ...
