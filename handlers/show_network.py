"""Show a network."""

from __future__ import annotations

from rig.contract.networks import Network, ShowNetwork
from rig.kernel.client import ClientContext, send


def handle(command: ShowNetwork, ctx: ClientContext) -> Network:
    return send(ctx, command, Network)
