"""Show the values of a network's secrets."""

from __future__ import annotations

import msgspec

from events.config import SecretsRead
from rig.contract.secrets import ListNetworkSecrets, RevealNetworkSecrets, SecretPage
from rig.node.handlers.list_network_secrets import handle as listed
from rig.node.handlers.reveal_secrets import revealed
from rig.node.ports import NodeContext


def handle(command: RevealNetworkSecrets, ctx: NodeContext) -> SecretPage:
    unrevealed = ListNetworkSecrets(name=command.name, filter=command.filter, limit=command.limit, after=command.after)
    page = listed(unrevealed, ctx)
    shown = [revealed(command.name, secret, ctx) for secret in page.secrets]
    if shown:
        names = sorted(secret.name for secret in shown)
        ctx.emit(f"network:{command.name}", SecretsRead(scope=command.name, names=names), target=command.name)
    return msgspec.structs.replace(page, secrets=shown)
