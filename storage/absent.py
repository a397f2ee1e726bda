"""The journal that could not be opened. Nothing can be recorded, and each attempt says why."""

from __future__ import annotations

from typing import Any, NoReturn

from rig.kernel.errors import RigError


class AbsentJournal:
    """Implements `rig.kernel.ports.Journal`: every call raises why there is none.

    With it a command that only reads goes on, with a warning, and every other one is refused before it did anything.
    """

    def __init__(self, reason: RigError) -> None:
        self.reason = reason

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise self.reason

    append = stream = read = by_idem = rows = digest_secret = verify = info = keep_witness = _refuse

    def close(self) -> None:
        """There is nothing to close."""
