"""Show how the apps of a network are doing."""

from __future__ import annotations

import msgspec

from rig.contract.networks import NetworkStatus, ShowNetworkStatus
from rig.kernel.client import ClientContext, send


def handle(command: ShowNetworkStatus, ctx: ClientContext) -> NetworkStatus:
    # What the exit code says is between us and our caller.
    return send(ctx, msgspec.structs.replace(command, detailed_exitcode=False), NetworkStatus)
