"""List who may do what in a network."""

from __future__ import annotations

import msgspec

from rig.contract.members import ListMembers, MemberPage
from rig.kernel.client import ClientContext, send
from rig.kernel.errors import RigError


def handle(command: ListMembers, ctx: ClientContext) -> MemberPage:
    """Raises `RigError` ``usage`` where no network is named, and nothing else says which."""
    network = command.network or ctx.ports.project(".").network or ctx.ports.settings.get("network")
    if not network:
        raise RigError(
            "usage", "Of which network?", "Name it: `rig list members NETWORK`; `rig list networks` has them."
        )
    return send(ctx, msgspec.structs.replace(command, network=network), MemberPage)
