"""What the handlers of `rig journal` need, and short ways to ask them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from handlers import archive_journal, export_journal, replay_journal
from handlers.verify_journal import handle as verify
from rig.clients.documents import writing_to
from rig.contract.evidence import (
    Archived,
    ArchiveJournal,
    Exported,
    ExportJournal,
    Replayed,
    ReplayJournal,
    VerifyJournal,
)
from rig.contract.verification import Verification
from rig.kernel.context import Context
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Progress
from storage.evidence import Evidence
from storage.journal import Journal
from tests.storage.support import (
    START,
    stamp,
)

COUNT = 9


class Ports(SimpleNamespace):
    """The ports that these handlers use; what goes to standard output is kept."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(evidence=Evidence(lambda: journal), replica=None, printed="")

    def writing(self, path: str, *, overwrite: bool = False) -> AbstractContextManager[Callable[[str], Any]]:
        return writing_to(path, overwrite=overwrite) if path else nullcontext(self._print)

    def _print(self, text: str) -> None:
        self.printed += text


def context(journal: Journal) -> Context[Any]:
    silent: Any = None
    progress: Progress = silent
    return Context(stamp(), journal, Ports(journal), progress)


def export(journal: Journal, **fields: Any) -> Exported:
    return export_journal.handle(msgspec.convert(fields, ExportJournal), context(journal))


def check(journal: Journal, path: Path, **fields: Any) -> Verification:
    return verify(VerifyJournal(export=str(path), **fields), context(journal))


def replay(journal: Journal, **fields: Any) -> Replayed:
    return replay_journal.handle(msgspec.convert(fields, ReplayJournal), context(journal))


def archive(journal: Journal, before: str, **fields: Any) -> Archived:
    asked = context(journal)
    return archive_journal.handle(ArchiveJournal(before=before, **fields), asked)


def at(second: int) -> str:
    return rfc3339(START + second * 1_000_000_000)
