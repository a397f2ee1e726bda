"""List networks."""

from __future__ import annotations

from rig.contract.networks import ListNetworks, NetworkPage
from rig.kernel.client import ClientContext, send


def handle(command: ListNetworks, ctx: ClientContext) -> NetworkPage:
    return send(ctx, command, NetworkPage)
