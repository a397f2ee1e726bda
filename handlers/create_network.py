"""Make a network."""

from __future__ import annotations

from events.base import Fact
from events.network import NetworkCreated
from rig.contract.networks import CreateNetwork, Network
from rig.kernel.client import ClientContext, send


def decide(network: Network) -> list[Fact]:
    """What is on the record once the platform has agreed."""
    return [NetworkCreated(name=network.name)]


def handle(command: CreateNetwork, ctx: ClientContext) -> Network:
    network = send(ctx, command, Network)
    for fact in decide(network):
        ctx.emit(f"network:{network.name}", fact, target=network.name)
    return network
