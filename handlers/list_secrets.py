"""List secrets, without their values."""

from __future__ import annotations

import msgspec

from rig.contract.secrets import ListNetworkSecrets, ListSecrets, SecretPage
from rig.kernel.client import ClientContext, send


def handle(command: ListSecrets, ctx: ClientContext) -> SecretPage:
    if command.network:
        ask = ListNetworkSecrets(name=command.network, limit=command.limit, after=command.after)
        page = send(ctx, ask, SecretPage)
    else:
        page = send(ctx, command, SecretPage)
    if command.origin:
        return page
    return msgspec.structs.replace(page, secrets=[secret for secret in page.secrets if not secret.hidden])
