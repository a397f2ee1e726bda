"""A process that appends to a journal: :func:`main`, with the folder and the number of records as its arguments.

It imports what that takes, in the way the `rig` command does, and nothing else; so it can be held against a process
that inserts rows.
"""

import rig  # isort: skip - it finds the packages beside it
from rig.light import import_msgspec

import_msgspec()

import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

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


def open_journal(folder: str | os.PathLike[str], *, plain: bool = False) -> Journal:
    path = os.path.join(folder, "journal.sqlite")
    return Journal.open(path, origin="bench", projections=() if plain else PROJECTIONS, timeout=60.0)


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


def main() -> None:
    with open_journal(sys.argv[1]) as journal:
        append_some(journal, int(sys.argv[2]))
