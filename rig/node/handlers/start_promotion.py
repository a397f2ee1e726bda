"""Begin a release that has its build from another app. What follows is the deployer's, which hears of the fact."""

from __future__ import annotations

from events.base import Fact
from rig.contract.promotion import StartPromotion
from rig.contract.releases import Release
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.node.emitting import emit_app
from rig.node.ports import NodeContext
from rig.node.promotion import Promotion, begin, gather, serves_already
from rig.node.rules import require_unlocked
from rig.node.variables.readable import require_readable
from rig.node.views import release_view


def decide(asked: Promotion, seen: int = -1, message: str = "") -> list[Fact]:
    """The facts of a promotion; none where the target serves that build already.

    Raises `RigError` ``locked``, ``precondition_failed``, ``conflict`` or ``bad_config``.
    """
    target = asked.target
    require_unlocked(target)
    if seen not in (-1, target.current):
        now = asked.current
        by, at, serves = "", "", "nothing serves now"
        if now is not None:
            by, at = now.created_by, rfc3339(now.created_at)
            serves = f"v{target.current} serves now, by {by}"
        raise RigError(
            "precondition_failed",
            f"`{target.name}` has changed since it was looked at: {serves}.",
            "Look again, and decide anew.",
            version=target.current,
            changed=[{"key": "release", "from": f"v{seen}", "to": f"v{target.current}", "by": by, "at": at}],
        )
    begun, built = begin(asked, message)
    return [] if serves_already(asked, begun) else [begun, built]


def handle(command: StartPromotion, ctx: NodeContext) -> Release:
    asked = gather(command.app, command.source, command.version, ctx)
    facts = decide(asked, command.seen, command.message)
    require_readable(facts, ctx)
    state = emit_app(command.app, asked.target, facts, ctx)
    return release_view(state, state.last if facts else state.current, ctx.ports)
