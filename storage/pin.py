"""The pin: the newest checkpoint, kept outside the database.

The database can be cut short or replaced by an older copy of itself, and still be in perfect order; the pin is what
tells. It moves forward only, by a rename under a lock, and is named after the part that the journal plays for rig
(``client``), never after what the database says of itself. A pin that cannot be written keeps its older checkpoint:
that is still true, and anchors fewer records.
"""

from __future__ import annotations

import os

from rig.kernel.failpoints import failpoint
from rig.kernel.files import private_folder
from storage.checkpoint import MAX_NOTE, Checkpoint, parse
from storage.files import lock, write_private


class Pin:
    """The pin of one journal in the folder ``folder``."""

    def __init__(self, folder: str, name: str) -> None:
        self.path = os.path.join(folder, f"{name}.checkpoint")
        self._lock = os.path.join(folder, f"{name}.lock")
        self._folder = folder
        self._looked_at = False

    def read(self) -> Checkpoint | None:
        """What is pinned; None where nothing is. Raises `ValueError` where the file is no checkpoint, or `OSError`."""
        try:
            with open(self.path, encoding="utf-8") as file:
                return parse(file.read(MAX_NOTE + 1))
        except FileNotFoundError:
            return None

    def advance(self, checkpoint: Checkpoint) -> None:
        """Pin ``checkpoint`` unless one of the same or a greater size is. Raises `ValueError` or `OSError`."""
        if not (self._looked_at and os.path.isdir(self._folder)):
            private_folder(self._folder)
            self._looked_at = True
        with lock(self._lock):
            pinned = self.read()
            if pinned is not None and pinned.size >= checkpoint.size:
                return
            temporary = f"{self.path}.new"
            if os.path.lexists(temporary):  # left by a process that was killed: the lock says that nobody else is here
                os.unlink(temporary)
            write_private(temporary, checkpoint.note.encode())
            failpoint("pin.written")
            os.replace(temporary, self.path)
