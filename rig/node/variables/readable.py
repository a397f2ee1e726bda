"""Whether what a release needs can be had: a secret without its key had better be told before anything is begun."""

from __future__ import annotations

from collections.abc import Sequence

from events.app import DeployStarted
from events.base import Fact
from rig.contract.names import split_app
from rig.node.ports import NodeContext


def require_readable(facts: Sequence[Fact], ctx: NodeContext) -> None:
    """Refuse to begin releases whose secrets cannot be read. Raises `RigError` ``bad_config``."""
    for fact in facts:
        if isinstance(fact, DeployStarted) and fact.supplied.secrets:
            ctx.ports.secrets.require_key(split_app(fact.app)[0])
