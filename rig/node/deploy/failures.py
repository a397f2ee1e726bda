"""What becomes of work in the background that fails: one error that can be told."""

from __future__ import annotations

import logging

from rig.kernel.disk import is_full
from rig.kernel.errors import RigError

log = logging.getLogger("rig.node.deploy")


def failure_of(raised: Exception, work: str, again: str) -> RigError:
    """Why ``work`` failed, as it is told. ``again`` is what to do once there is room on a full disk."""
    if isinstance(raised, RigError):
        return raised
    if is_full(raised):
        return RigError("failed", "The node's disk takes nothing more.", f"Make room on it, and {again}.")
    log.error("%s", work, exc_info=raised)
    return RigError("internal", f"The node failed in a way it should not: {type(raised).__name__}.")
