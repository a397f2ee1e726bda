"""`rig journal info`: where the record is, and how far it goes."""

from __future__ import annotations

from rig.contract.evidence import JournalInfo
from rig.contract.verification import JournalReport
from rig.kernel.client import ClientContext


def handle(command: JournalInfo, ctx: ClientContext) -> JournalReport:
    """Describe the journal; a checkpoint that could not be pinned is a warning."""
    evidence = ctx.ports.node_evidence if command.node else ctx.ports.evidence
    report = evidence.info() if command.node else ctx.journal.info()
    if report.pin_error:
        ctx.warn(f"The newest checkpoint could not be pinned in {report.pin}: {report.pin_error}")
    if command.pin_out:
        evidence.keep_checkpoint(command.pin_out)
    return report
