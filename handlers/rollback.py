"""Restore an earlier release."""

from __future__ import annotations

import msgspec

from handlers.follow import begun, conclude, ended, follow
from rig.contract.releases import Rollback, RollbackReport
from rig.kernel.client import ClientContext, send


def handle(command: Rollback, ctx: ClientContext) -> RollbackReport:
    report = send(ctx, command, RollbackReport)
    for fact in begun(report.release):
        ctx.emit(f"app:{command.app}", fact, target=command.app)
    ctx.record()
    release = follow(report.release, ctx)
    conclude(release, ended(release), ctx)
    return msgspec.structs.replace(report, release=release)
