"""What becomes of work in the background that fails: one error that can be told."""

from __future__ import annotations

import logging
from pathlib import Path

from rig.kernel.disk import is_full, is_short
from rig.kernel.errors import RigError

log = logging.getLogger("rig.node.deploy")


def failure_of(raised: Exception, work: str, again: str, folder: Path) -> RigError:
    """Why ``work`` failed, as it is told. ``again`` is what to do once there is room on the disk of ``folder``, if that
    is full."""
    if isinstance(raised, RigError):
        if is_short(folder):
            raised.hint = f"The node's disk is full, which may be why: make room on it, and {again}."
        return raised
    if is_full(raised):
        return RigError("failed", "The node's disk takes nothing more.", f"Make room on it, and {again}.")
    log.error("%s", work, exc_info=raised)
    return RigError("internal", f"The node failed in a way it should not: {type(raised).__name__}.")
