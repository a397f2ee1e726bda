"""`rig journal info`: where the record is, and how far it goes."""

from __future__ import annotations

from typing import Any

from rig.contract.audit import JournalInfo, JournalReport
from rig.kernel.context import Context


def handle(command: JournalInfo, context: Context[Any]) -> JournalReport:
    """Describe the journal; a checkpoint that could not be pinned is a warning."""
    report = context.journal.info()
    if report.pin_error:
        context.warn(f"The newest checkpoint could not be pinned in {report.pin}: {report.pin_error}")
    return report
