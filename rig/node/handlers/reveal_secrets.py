"""Show the values of an app's secrets."""

from __future__ import annotations

import msgspec

from events.config import SecretsRead
from rig.contract.names import split_app
from rig.contract.secrets import ListSecrets, RevealSecrets, Secret, SecretPage
from rig.node.handlers.list_secrets import handle as listed
from rig.node.ports import NodeContext


def _unrevealed(command: RevealSecrets) -> ListSecrets:
    return ListSecrets(app=command.app, filter=command.filter, limit=command.limit, after=command.after)


def revealed(scope: str, secret: Secret, ctx: NodeContext) -> Secret:
    value = ctx.ports.secrets.reveal(scope, secret.name, secret.version)
    return msgspec.structs.replace(secret, value=value, redacted=False)


def handle(command: RevealSecrets, ctx: NodeContext) -> SecretPage:
    page = listed(_unrevealed(command), ctx)
    scopes = {"app": command.app, "network": split_app(command.app)[0]}
    shown = [revealed(scopes[secret.origin], secret, ctx) for secret in page.secrets]
    if shown:
        names = sorted({secret.name for secret in shown})
        ctx.emit(f"app:{command.app}", SecretsRead(scope=command.app, names=names), target=command.app)
    return msgspec.structs.replace(page, secrets=shown)
