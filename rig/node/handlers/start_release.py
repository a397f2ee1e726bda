"""Begin a release. What follows is the deployer's, which hears of the fact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from events.app import AppCreated, AppState, DeployStarted
from events.base import Fact
from events.network import NetworkState
from rig.contract.names import split_app
from rig.contract.releases import Release, StartRelease
from rig.kernel.errors import RigError
from rig.node.emitting import emit_app
from rig.node.handlers import create_network
from rig.node.ports import NodeContext
from rig.node.releases import changes
from rig.node.rules import require_room, require_unlocked
from rig.node.variables.change import check_values
from rig.node.variables.readable import require_readable
from rig.node.variables.resolve import stacks_of, supply, winners
from rig.node.views import release_view

NO_NETWORK = NetworkState()


def decide(state: AppState, command: StartRelease, isolation: str, network: NetworkState = NO_NETWORK) -> list[Fact]:
    """The facts of beginning a release. Raises `RigError` ``not_found`` or ``locked``."""
    facts: list[Fact] = []
    if not state.exists:
        if not command.create:
            raise RigError(
                "not_found",
                f"There is no app `{command.app}`.",
                f"Make it on the way with `--create`, or first with `rig create app {command.app}`.",
            )
        facts.append(AppCreated(name=command.app))
    require_unlocked(state)
    config: dict[str, Any] = msgspec.to_builtins(command.config)
    source: dict[str, Any] = msgspec.to_builtins(command.source)
    check_values(command.vars)
    supplied = supply(
        network.config, state.config, environment=command.environment_vars, release=command.vars, memory=state.memory
    )
    started = DeployStarted(
        app=command.app,
        version=state.last + 1,
        bundle=command.bundle,
        config=config,
        source=source,
        message=command.message,
        changed=changes(state, command.bundle, config, supplied),
        previous=state.current,
        force=command.force,
        isolation=isolation,
        supplied=supplied,
        environment=command.environment,
    )
    check_build_secrets(command.config.build.secrets, started, new=not state.exists)
    return [*facts, started]


def check_build_secrets(names: Sequence[str], started: DeployStarted, *, new: bool) -> None:
    """Refuse a build that would miss one of the secrets that it names. Raises `RigError` ``bad_config``."""
    app, won = started.app, winners(stacks_of(started))
    for name in names:
        entry = won.get(name)
        if entry is None:
            first = f"`rig create app {app}`, then " if new else ""
            raise RigError(
                "bad_config",
                f"`[build] secrets` names `{name}`, and `{app}` has no such secret.",
                f"Set it first: {first}`rig create secret {app} {name}`.",
            )
        if entry.ref is None:
            raise RigError(
                "bad_config",
                f"`[build] secrets` names `{name}`, which is a variable of `{app}` and no secret.",
                "Builds see variables anyway: take it off the list, or make it a secret.",
            )


def handle(command: StartRelease, ctx: NodeContext) -> Release:
    world, network = ctx.ports.world, split_app(command.app)[0]
    makes = command.create and not world.network_exists(network)
    inherited = create_network.make(network, ctx) if makes else world.network(network)
    if not ctx.ports.bundles.complete(network, command.bundle):
        raise RigError(
            "not_found",
            f"Bundle {command.bundle[:12]} is not on the node.",
            "Deploy again; what is missing is sent then.",
        )
    state = world.apps.get(command.app, AppState())
    facts = decide(state, command, ctx.ports.isolation, inherited)
    if not state.exists:
        require_room(network, len(world.apps_of(network)))
    require_readable(facts, ctx)
    state = emit_app(command.app, state, facts, ctx)
    return release_view(state, state.last, ctx.ports)
