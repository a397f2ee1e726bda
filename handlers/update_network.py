"""Change what is said of a network."""

from __future__ import annotations

from events.base import Fact
from events.network import NetworkUpdated
from rig.contract.networks import Network, UpdateNetwork
from rig.kernel.client import ClientContext, send


def decide(command: UpdateNetwork) -> list[Fact]:
    """What is on the record once the platform has agreed."""
    return [NetworkUpdated(name=command.name, description=command.description, protected=command.protected)]


def handle(command: UpdateNetwork, ctx: ClientContext) -> Network:
    network = send(ctx, command, Network)
    for fact in decide(command):
        ctx.emit(f"network:{network.name}", fact, target=network.name)
    return network
