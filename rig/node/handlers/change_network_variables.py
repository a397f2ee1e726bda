"""Set and remove variables and secrets of a network: every deployed app that inherits a change gets a release."""

from __future__ import annotations

from events.network import NetworkState
from rig.contract.variables import ChangeNetworkVariables, MadeRelease, VariablesChange
from rig.kernel.words import some_of
from rig.node.emitting import emit_app, emit_network
from rig.node.handlers.change_variables import keep_secrets
from rig.node.ports import NodeContext
from rig.node.since import NETWORK_VARIABLES, require_match
from rig.node.variables.change import change_view, check, decide, release_facts
from rig.node.variables.readable import require_readable


def handle(command: ChangeNetworkVariables, ctx: NodeContext) -> VariablesChange:
    scope = command.name
    state = ctx.ports.world.network(scope)
    require_match(NETWORK_VARIABLES, f"network:{scope}", scope, state.config.revision, command.expect, ctx)
    check(scope, command, state.config)
    refs = keep_secrets(scope, state.config, command, ctx)
    facts = decide(scope, state.config, command, refs)
    state = emit_network(scope, state, facts, ctx)
    releases, later = ([], []) if command.stage else release_apps(state, ctx)
    if later:
        ctx.warn(f"A release of {some_of(sorted(later))} is being made; the one after it takes the change.")
    return change_view(scope, command, facts, state.config, releases, staged=command.stage or bool(later))


def release_apps(network: NetworkState, ctx: NodeContext) -> tuple[list[MadeRelease], list[str]]:
    """Begin the releases that a network's change asks for; and the apps that are busy with another one."""
    world = ctx.ports.world
    releases, later = [], []
    for name in world.apps_of(network.name):
        state = world.app(name)
        facts = release_facts(state, network, ctx.ports.isolation)
        if facts and state.pending:
            later.append(name)
            continue
        require_readable(facts, ctx)
        if facts:
            releases.append(MadeRelease(app=name, version=emit_app(name, state, facts, ctx).last))
    return releases, later
