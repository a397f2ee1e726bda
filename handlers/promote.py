"""Serve the build of another app."""

from __future__ import annotations

from handlers.follow import conclude, emit_begun, follow
from rig.contract.promotion import (
    Promote,
    PromotionPlan,
    PromotionReport,
    ShowPromotion,
    StartPromotion,
)
from rig.contract.releases import Release, version_number
from rig.kernel.client import ClientContext, send


def handle(command: Promote, ctx: ClientContext) -> PromotionReport:
    look = ShowPromotion(app=command.app, source=command.source, version=version_number(command.release))
    plan = ctx.ports.platform.call(look, PromotionPlan, corr=ctx.stamp.corr)
    if command.plan or plan.already:
        return PromotionReport(plan=plan)
    ctx.ports.show(plan)
    if not command.yes:
        question = f"Promote v{plan.source.version} of {plan.source.app} to {plan.target.app}?"
        ctx.ports.terminal.confirm(question, flag="--yes", look="--plan")
    start = StartPromotion(
        app=command.app,
        source=command.source,
        version=plan.source.version,
        seen=plan.target.version,
        message=command.message,
    )
    release = send(ctx, start, Release)
    emit_begun(release, ctx)
    ctx.record()
    release = follow(release, ctx)
    conclude(release, ctx)
    return PromotionReport(plan=plan, release=release, undo=undo_of(plan))


def undo_of(plan: PromotionPlan) -> str:
    """The command that goes back to what the target served before; none where that was nothing."""
    return f"rig rollback {plan.target.app} v{plan.target.version}" if plan.target.version else ""
