"""Facts of apps and networks go on the record, and who answers goes on with what follows from them."""

from __future__ import annotations

from collections.abc import Sequence

from events import app as app_stream
from events import network as network_stream
from events.app import AppState
from events.base import Fact, Happened
from events.network import NetworkState
from rig.node.ports import NodeContext


def emit_app(name: str, state: AppState, facts: Sequence[Fact], ctx: NodeContext) -> AppState:
    """Emit facts that were decided on ``state``, of the app ``network/app``; gives the state that follows.

    They are appended with the outcome, in one transaction, if nobody was faster; until then the world does not know
    them.
    """
    stream = f"app:{name}"
    for fact in facts:
        ctx.emit(stream, fact, target=name, expect=ctx.ports.world.version(stream))
        state = app_stream.evolve(state, fact, _happening(ctx))
    return state


def emit_network(name: str, state: NetworkState, facts: Sequence[Fact], ctx: NodeContext) -> NetworkState:
    """As :func:`emit_app`, of a network."""
    stream = f"network:{name}"
    for fact in facts:
        ctx.emit(stream, fact, target=name, expect=ctx.ports.world.version(stream))
        state = network_stream.evolve(state, fact, _happening(ctx))
    return state


def _happening(ctx: NodeContext) -> Happened:
    """When and by whom the facts of this dispatch happen."""
    return Happened(ctx.stamp.at, ctx.stamp.actor)
