"""Show one secret: where it is set, by whom, and never its value."""

from __future__ import annotations

from rig.contract.secrets import ListNetworkSecrets, ListSecrets, SecretDetails, SecretPage, ShowSecret
from rig.kernel.client import ClientContext, send
from rig.kernel.errors import RigError
from rig.kernel.words import whose


def handle(command: ShowSecret, ctx: ClientContext) -> SecretDetails:
    if not command.name:
        raise RigError("usage", "Which secret?", "Name it, as `rig details secret NETWORK/APP NAME`.")
    only = [f"name={command.name}"]
    of_network = ListNetworkSecrets(name=command.network, filter=only, limit=1)
    page = send(ctx, of_network if command.network else ListSecrets(app=command.app, filter=only, limit=1), SecretPage)
    if not page.secrets:
        raise RigError(
            "not_found",
            f"There is no secret `{command.name}` of `{command.network or command.app}`.",
            f"`rig list secrets {whose(command.app, command.network)}` shows those there are.",
        )
    return SecretDetails(name=command.name, secrets=page.secrets)
