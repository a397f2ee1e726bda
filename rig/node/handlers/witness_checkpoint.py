"""Countersign a checkpoint of a client's journal."""

from __future__ import annotations

from rig.contract.replica import Cosigned, WitnessCheckpoint
from rig.kernel.errors import RigError
from rig.node.ports import NodeContext


def handle(command: WitnessCheckpoint, ctx: NodeContext) -> Cosigned:
    # The trace of it is the cosignature, which the client keeps; a record for each would double the node's journal.
    state = ctx.ports.world.witnessed(command.origin)
    if not state.key:
        raise RigError(
            "not_found", f"The key of the journal `{command.origin}` is not known here.", "`rig login` makes it known."
        )
    witnessed = ctx.ports.witness.countersign(
        state.key,
        command.checkpoint,
        old_size=command.old_size,
        leaves=command.leaves,
        frontier=command.frontier,
        at=ctx.stamp.at,
    )
    return Cosigned(size=witnessed.size, checkpoint=witnessed.note, verifier=ctx.ports.witness.verifier)
