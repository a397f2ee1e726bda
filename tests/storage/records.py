"""Records to ask, and what a handler that asks them needs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from rig.contract.base import Command
from rig.contract.replica import PAGE, RecordPage, WireRecord
from rig.kernel.context import Context
from rig.kernel.errors import RigError
from rig.kernel.ports import Journal as JournalPort
from rig.kernel.ports import Stamp
from storage.imports import ImportedJournal
from storage.journal import Journal
from storage.projections.audit import AuditProjection
from storage.projections.changes import ChangesProjection
from storage.projections.configuration import ConfigurationProjection
from storage.projections.dashboard import DashboardProjection
from storage.projections.releases import ReleasesProjection
from storage.replica import Replica
from storage.texts import TextIndex
from tests.storage.support import FakeClock, stamp
from tests.support import Silence

PROJECTIONS = (
    AuditProjection(),
    ReleasesProjection(),
    ConfigurationProjection(),
    ChangesProjection(),
    DashboardProjection(),
)
Shown = Callable[[str], bool]


def open_record(folder: Path, origin: str = "client") -> Journal:
    """A journal with all projections."""
    folder.mkdir(parents=True, exist_ok=True)
    return Journal.open(folder / "journal.sqlite", origin=origin, projections=PROJECTIONS, clock=FakeClock())


def page_of(journal: Journal, after: int = -1, shown: Shown = lambda rec: True) -> RecordPage:
    """What a platform with this journal answers; ``shown`` says of which records more than their hash."""
    report = journal.info()
    first = min(after + 1, report.size)
    end = min((first // PAGE + 1) * PAGE, report.size)
    note = next(journal.rows("SELECT note FROM checkpoint WHERE size = ?", (end,)), {"note": ""})["note"]
    rows = journal.rows("SELECT rec, leaf FROM event WHERE pos >= ? AND pos < ? ORDER BY pos", (first, end))
    records = [WireRecord(leaf=row["leaf"].hex(), rec=row["rec"] if shown(row["rec"]) else "") for row in rows]
    return RecordPage(
        origin=report.origin,
        verifier=report.verifier,
        size=report.size,
        first=first,
        records=records,
        checkpoint=note,
    )


def replica_of(folder: Path, journal: Journal, shown: Shown = lambda rec: True) -> Replica:
    """A replica that has all of a journal."""
    replica = Replica(str(folder / "replica.sqlite"), PROJECTIONS)
    follow(replica, journal, shown)
    return replica


def follow(replica: Replica, journal: Journal, shown: Shown = lambda rec: True) -> None:
    """Bring a replica up to a journal."""
    more = True
    while more:
        asked = replica.size()
        more = replica.extend(page_of(journal, asked - 1, shown), asked=asked, at=1)


class Away:
    """A platform that cannot be reached."""

    def call(self, command: Command, reply: type[Any], *, key: str = "", corr: str = "") -> Any:
        raise RigError("unreachable", "The platform cannot be reached.")


class Platform:
    """A platform with this journal."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def call(self, command: Any, reply: type[Any], *, key: str = "", corr: str = "") -> Any:
        return page_of(self.journal, command.after)


class Ports:
    """What handlers that review the record may reach."""

    def __init__(self, folder: Path, replica: Replica | None = None, platform: Any = None) -> None:
        self.replica = replica
        self.platform = self.platform_on_the_way = platform or Away()
        self.texts = TextIndex(str(folder / "words"), Silence())
        self.shown: list[Any] = []
        self.show = self.shown.append
        self.performed: list[Command] = []

    def imported(self, path: str) -> Any:
        return ImportedJournal(path)

    def ask_sql(self, sql: str, source: str, path: str = "") -> list[dict[str, Any]]:
        return [{"sql": sql, "source": source, "path": path}]

    def perform(self, command: Command) -> None:
        self.performed.append(command)

    def writing(self, path: str, *, overwrite: bool = False) -> AbstractContextManager[Callable[[str], Any]]:
        return nullcontext(self.show)


def context(journal: JournalPort, ports: Any, asker: Stamp | None = None) -> Context[Any]:
    """One dispatch, as its handler sees it."""
    return Context(asker or stamp(), journal, ports, Silence())
