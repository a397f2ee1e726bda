"""List the variables of a network."""

from __future__ import annotations

from events.config import ConfigState, Supplied
from rig.contract.variables import ListNetworkVars, Var, VarPage
from rig.node.paging import rows_of
from rig.node.ports import NodeContext
from rig.node.variables.remember import remembered
from rig.node.variables.resolve import Stacks, layers, resolve
from rig.node.variables.views import settings_of, var_view


@remembered(8)
def stacks_of_network(config: ConfigState) -> Stacks:
    """The values of every name that a network gives."""
    return resolve(layers(Supplied(vars={"network": config.vars}, secrets={"network": config.secrets}), {}))


def handle(command: ListNetworkVars, ctx: NodeContext) -> VarPage:
    state = ctx.ports.world.network(command.name)
    stacks = stacks_of_network(state.config)
    settings = settings_of(state)
    rows, following = rows_of(
        list(stacks), lambda name: [var_view(name, stacks[name], stacks[name][0], settings)], Var, command
    )
    return VarPage(vars=rows, next=following, revision=state.config.revision)
