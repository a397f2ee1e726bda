"""List secrets; their values only where they are asked for."""

from __future__ import annotations

from typing import cast

import msgspec

from rig.contract.base import Command
from rig.contract.secrets import ListNetworkSecrets, ListSecrets, RevealNetworkSecrets, RevealSecrets, SecretPage
from rig.kernel.client import ClientContext, send


def handle(command: ListSecrets, ctx: ClientContext) -> SecretPage:
    page = _page(command, ctx)
    if command.origin:
        return page
    return msgspec.structs.replace(page, secrets=[secret for secret in page.secrets if not secret.hidden])


def _page(command: ListSecrets, ctx: ClientContext) -> SecretPage:
    name, which, limit, after = command.network, command.filter, command.limit, command.after
    if not command.reveal:
        of_network = ListNetworkSecrets(name=name, filter=which, limit=limit, after=after)
        return send(ctx, of_network if name else command, SecretPage)
    # Reading them is remote access, with a record of its own before and after.
    reveal: Command = RevealSecrets(app=command.app, filter=which, limit=limit, after=after)
    if name:
        reveal = RevealNetworkSecrets(name=name, filter=which, limit=limit, after=after)
    return cast(SecretPage, ctx.ports.perform(reveal))
