"""`rig journal verify`: is the record whole, or an export of one?"""

from __future__ import annotations

from rig.contract.audit import Verification
from rig.contract.evidence import VerifyJournal
from rig.kernel.client import ClientContext
from rig.kernel.evidence import require_verified


def handle(command: VerifyJournal, ctx: ClientContext) -> Verification:
    """Check it; what does not verify is a failure whose details hold the whole report."""
    evidence = ctx.ports.evidence
    if command.export:
        report = evidence.verify_export(command.export, command.key, command.pin)
    else:
        report = evidence.verify(command.pin)
    require_verified(report)
    return report
