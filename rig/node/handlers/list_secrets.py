"""List the secrets of an app, with those that it inherits."""

from __future__ import annotations

from events.app import AppState
from events.network import NetworkState
from rig.contract.names import split_app
from rig.contract.secrets import ListSecrets, Secret, SecretPage
from rig.node.paging import rows_of
from rig.node.ports import NodeContext
from rig.node.variables.remember import remembered
from rig.node.variables.resolve import Stacks, stacks_next, stacks_of, winner
from rig.node.variables.views import secret_views, settings_of


@remembered(8)
def secret_stacks(network: NetworkState, state: AppState) -> Stacks:
    """The values of every name that is a secret in some layer."""
    return {name: stack for name, stack in stacks_next(network, state).items() if any(e.ref for e in stack)}


def handle(command: ListSecrets, ctx: NodeContext) -> SecretPage:
    world = ctx.ports.world
    state = world.app(command.app)
    network = world.network(split_app(command.app)[0])
    stacks = secret_stacks(network, state)
    serving = state.serving
    deployed = stacks_of(serving.started) if serving else {}
    settings = settings_of(network, state)
    rows, following = rows_of(
        list(stacks), lambda name: secret_views(name, stacks[name], winner(deployed, name), settings), Secret, command
    )
    return SecretPage(secrets=rows, next=following, revision=state.config.revision)
