"""A process that appends to a journal: `python -m tests.bench.appending FOLDER COUNT`.

It imports what that takes, in the way the `rig` command does, and nothing else; so it can be held against a process
that inserts rows.
"""

import rig  # isort: skip - it finds the packages beside it
from rig.light import import_msgspec

import_msgspec()

import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

from events.command import CommandCompleted, CommandReceived  # noqa: E402
from rig.kernel.ids import uuid7  # noqa: E402
from rig.kernel.ports import Draft, Stamp  # noqa: E402
from storage.journal import Journal  # noqa: E402
from storage.projections.audit import AuditProjection  # noqa: E402
from storage.projections.changes import ChangesProjection  # noqa: E402
from storage.projections.configuration import ConfigurationProjection  # noqa: E402
from storage.projections.dashboard import DashboardProjection  # noqa: E402
from storage.projections.releases import ReleasesProjection  # noqa: E402

PROJECTIONS = (
    AuditProjection(),
    ReleasesProjection(),
    ConfigurationProjection(),
    ChangesProjection(),
    DashboardProjection(),
)
"""Those that a client keeps."""


def open_journal(folder: Path, *, plain: bool = False) -> Journal:
    projections = () if plain else PROJECTIONS
    return Journal.open(folder / "journal.sqlite", origin="bench", projections=projections, timeout=60.0)


def drafts(number: int) -> list[Draft]:
    """A command and its end."""
    stream, app = f"command:{uuid7()}", f"demo/app{number % 50}"
    begun = CommandReceived(
        command="deploy", arguments={"app": app, "message": "A change"}, client=f"rig/{rig.__version__}"
    )
    ended = CommandCompleted(command="deploy", client=f"rig/{rig.__version__}", context="local")
    return [
        Draft(stream=stream, fact=begun, target=app, outcome="unknown"),
        Draft(stream=stream, fact=ended, target=app),
    ]


def append_some(journal: Journal, count: int) -> None:
    for number in range(count):
        journal.append(drafts(number)[:1], Stamp(id=uuid7(), actor="user:bench", at=time.time_ns()))


if __name__ == "__main__":
    with open_journal(Path(sys.argv[1])) as opened:
        append_some(opened, int(sys.argv[2]))
