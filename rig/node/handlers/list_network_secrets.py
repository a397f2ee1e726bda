"""List the secrets of a network."""

from __future__ import annotations

from rig.contract.secrets import ListNetworkSecrets, SecretPage
from rig.node.paging import page_of
from rig.node.ports import NodeContext
from rig.node.variables.resolve import Entry
from rig.node.variables.views import secret_views, settings_of


def handle(command: ListNetworkSecrets, ctx: NodeContext) -> SecretPage:
    state = ctx.ports.world.network(command.name)
    entries = {name: Entry(origin="network", ref=ref) for name, ref in sorted(state.config.secrets.items())}
    names, following = page_of(list(entries), command.after, command.limit)
    settings = settings_of(state)
    return SecretPage(
        secrets=[view for name in names for view in secret_views(name, [entries[name]], entries[name], settings)],
        next=following,
        revision=state.config.revision,
    )
