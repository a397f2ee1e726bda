"""`rig journal verify`: is the record whole, or an export of one?"""

from __future__ import annotations

import msgspec

from rig.contract.audit import Verification
from rig.contract.evidence import VerifyJournal
from rig.kernel.client import ClientContext
from rig.kernel.evidence import require_verified
from rig.kernel.ports import Replica


def handle(command: VerifyJournal, ctx: ClientContext) -> Verification:
    """Check it; what does not verify is a failure whose details hold the whole report."""
    evidence = ctx.ports.evidence
    if command.export:
        report = evidence.verify_export(command.export, command.key, command.pin)
    else:
        report = with_replica(evidence.verify(command.pin), ctx.ports.replica)
    require_verified(report)
    return report


def with_replica(report: Verification, replica: Replica | None) -> Verification:
    """The report, with what checking the replica of the platform's record has shown."""
    state = replica.state() if replica is not None else None
    if replica is None or state is None:
        return report
    findings = replica.verify()
    return msgspec.structs.replace(
        report,
        verdict="tampered" if findings else report.verdict,
        replicated=state.size,
        findings=[*report.findings, *findings],
    )
