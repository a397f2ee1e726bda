"""Show the values of a network's secrets. They are in the answer, and in nothing that is kept."""

from __future__ import annotations

from rig.contract.secrets import RevealNetworkSecrets, SecretPage
from rig.kernel.client import ClientContext, send


def handle(command: RevealNetworkSecrets, ctx: ClientContext) -> SecretPage:
    return send(ctx, command, SecretPage)
