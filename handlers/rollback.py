"""Restore an earlier release."""

from __future__ import annotations

import msgspec

from events.app import DeployRolledBack
from events.base import Fact
from handlers.follow import begun, conclude, ended, follow
from rig.contract.releases import Release, Rollback, RollbackReport
from rig.kernel.client import ClientContext, send


def decide(release: Release) -> list[Fact]:
    """What is on the local record once the platform has agreed to roll back."""
    return [
        *begun(release),
        DeployRolledBack(app=release.app, version=release.version, restored=release.rollback_of),
    ]


def handle(command: Rollback, ctx: ClientContext) -> RollbackReport:
    report = send(ctx, command, RollbackReport)
    for fact in decide(report.release):
        ctx.emit(f"app:{command.app}", fact, target=command.app)
    ctx.record()
    release = follow(report.release, ctx)
    conclude(release, ended(release), ctx)
    return msgspec.structs.replace(report, release=release)
