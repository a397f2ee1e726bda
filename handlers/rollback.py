"""Restore an earlier release."""

from __future__ import annotations

import msgspec

from handlers.follow import conclude, emit_begun, follow
from rig.contract.releases import Rollback, RollbackReport
from rig.kernel.client import ClientContext, send


def handle(command: Rollback, ctx: ClientContext) -> RollbackReport:
    report = send(ctx, command, RollbackReport)
    emit_begun(report.release, ctx)
    ctx.record()
    release = follow(report.release, ctx)
    conclude(release, ctx)
    return msgspec.structs.replace(report, release=release)
