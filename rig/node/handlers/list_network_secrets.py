"""List the secrets of a network."""

from __future__ import annotations

from rig.contract.secrets import ListNetworkSecrets, Secret, SecretPage
from rig.node.paging import rows_of
from rig.node.ports import NodeContext
from rig.node.variables.resolve import Entry
from rig.node.variables.views import secret_views, settings_of


def handle(command: ListNetworkSecrets, ctx: NodeContext) -> SecretPage:
    state = ctx.ports.world.network(command.name)
    entries = {name: Entry(origin="network", ref=ref) for name, ref in sorted(state.config.secrets.items())}
    settings = settings_of(state)
    rows, following = rows_of(
        list(entries), lambda name: secret_views(name, [entries[name]], entries[name], settings), Secret, command
    )
    return SecretPage(secrets=rows, next=following, revision=state.config.revision)
