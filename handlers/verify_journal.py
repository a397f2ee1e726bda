"""`rig journal verify`: is the record whole?"""

from __future__ import annotations

from typing import Any

import msgspec

from rig.contract.audit import Verification, VerifyJournal
from rig.kernel.context import Context
from rig.kernel.errors import RigError


def handle(command: VerifyJournal, context: Context[Any]) -> Verification:
    """Check it; a journal that does not verify is a failure whose details hold the whole report."""
    report = context.journal.verify()
    if report.verdict == "verified":
        return report
    first = report.findings[0]
    others = f" ({len(report.findings) - 1} more findings)" if len(report.findings) > 1 else ""
    if report.verdict == "tampered":
        message = f"The journal {report.path} does not verify: {first.code}, {first.message}{others}."
        hint = "Keep the file and its `pins` folder as they are, and compare them with a copy from before."
    else:
        message = f"It cannot be told whether the journal {report.path} is whole: {first.message}{others}."
        hint = "Put back what is missing; `rig journal info` says where it belongs."
    raise RigError(report.verdict, message, hint, verification=msgspec.to_builtins(report))
