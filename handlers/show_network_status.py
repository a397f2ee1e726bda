"""Show how the apps of a network are doing."""

from __future__ import annotations

from rig.contract.networks import NetworkStatus, ShowNetworkStatus
from rig.kernel.client import ClientContext, send


def handle(command: ShowNetworkStatus, ctx: ClientContext) -> NetworkStatus:
    return send(ctx, command, NetworkStatus)
