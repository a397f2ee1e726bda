"""Show the values of an app's secrets. They are in the answer, and in nothing that is kept."""

from __future__ import annotations

from rig.contract.secrets import RevealSecrets, SecretPage
from rig.kernel.client import ClientContext, send


def handle(command: RevealSecrets, ctx: ClientContext) -> SecretPage:
    return send(ctx, command, SecretPage)
