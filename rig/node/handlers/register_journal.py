"""Take note of the key by which a client's journal is signed."""

from __future__ import annotations

from events.base import Fact
from events.witness import JournalRegistered, WitnessState
from rig.contract.base import Done
from rig.contract.replica import RegisterJournal
from rig.kernel.errors import RigError
from rig.node.ports import NodeContext
from storage.checkpoint import parse_verifier_key


def decide(state: WitnessState, command: RegisterJournal) -> list[Fact]:
    """A journal is registered once. Raises `RigError` ``conflict`` for another key: it would be another journal."""
    if state.key == command.key:
        return []
    if state.key:
        raise RigError(
            "conflict",
            f"The journal `{command.origin}` is known here by another key: it was replaced, or its name is claimed.",
            "Compare the keys: `rig journal info`.",
        )
    return [JournalRegistered(origin=command.origin, key=command.key)]


def handle(command: RegisterJournal, ctx: NodeContext) -> Done:
    try:
        name, _ = parse_verifier_key(command.key)
    except ValueError as error:
        raise RigError("invalid_data", f"The key cannot be read: {error}.") from error
    if name != command.origin:
        raise RigError("invalid_data", f"The key is that of `{name}`, not of `{command.origin}`.")
    stream, world = f"witness:{command.origin}", ctx.ports.world
    for fact in decide(world.witnessed(command.origin), command):
        ctx.emit(stream, fact, target=command.origin, expect=world.version(stream))
    return Done(target=command.origin, message="The platform knows the key of this journal.")
