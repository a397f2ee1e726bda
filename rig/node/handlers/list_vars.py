"""List the variables of an app, with what it inherits."""

from __future__ import annotations

from rig.contract.names import split_app
from rig.contract.variables import ListVars, Var, VarPage
from rig.node.paging import rows_of
from rig.node.ports import NodeContext
from rig.node.variables.resolve import stacks_next, stacks_of, winner
from rig.node.variables.views import settings_of, var_view


def handle(command: ListVars, ctx: NodeContext) -> VarPage:
    world = ctx.ports.world
    state = world.app(command.app)
    network = world.network(split_app(command.app)[0])
    stacks = stacks_next(network, state)
    serving = state.serving
    deployed = stacks_of(serving.started) if serving else {}
    settings = settings_of(network, state)
    rows, following = rows_of(
        list(stacks), lambda name: [var_view(name, stacks[name], winner(deployed, name), settings)], Var, command
    )
    return VarPage(vars=rows, next=following, revision=state.config.revision)
