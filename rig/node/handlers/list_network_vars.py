"""List the variables of a network."""

from __future__ import annotations

from events.config import Supplied
from rig.contract.variables import ListNetworkVars, Var, VarPage
from rig.node.paging import rows_of
from rig.node.ports import NodeContext
from rig.node.variables.resolve import layers, resolve
from rig.node.variables.views import settings_of, var_view


def handle(command: ListNetworkVars, ctx: NodeContext) -> VarPage:
    state = ctx.ports.world.network(command.name)
    own = Supplied(vars={"network": state.config.vars}, secrets={"network": state.config.secrets})
    stacks = resolve(layers(own, {}))
    settings = settings_of(state)
    rows, following = rows_of(
        list(stacks), lambda name: [var_view(name, stacks[name], stacks[name][0], settings)], Var, command
    )
    return VarPage(vars=rows, next=following, revision=state.config.revision)
