"""A projection that reaches out, as none may: for the test of the guard around replays."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rig.kernel.ports import Recorded

FOLDER = Path("/tmp")
"""Not asked for: whoever asks for the folder of temporary files writes to it, to see whether that can be done."""


class Reaching:
    name = "reaching"
    version = 1
    tables = ("reaching",)
    ddl = "CREATE TABLE reaching(pos INTEGER PRIMARY KEY) STRICT;\n"

    def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
        (FOLDER / f"rig-reached-{recorded.id}").write_text("reached")


class Attaching(Reaching):
    def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
        connection.execute("ATTACH DATABASE ? AS other", (str(FOLDER / f"rig-reached-{recorded.id}.sqlite"),))
