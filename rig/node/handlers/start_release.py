"""Begin a release. What follows is the deployer's, which hears of the fact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from events.app import AppCreated, AppState, DeployStarted, evolve
from events.base import Fact
from events.config import Supplied
from events.network import NetworkState
from rig.contract.names import split_app
from rig.contract.releases import Release, StartRelease
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.node.handlers.create_network import found
from rig.node.ports import NodeContext, happening
from rig.node.variables.change import check_values, memory_changes
from rig.node.variables.readable import require_readable
from rig.node.variables.resolve import differences, layers, resolve, stacks_of, supply, winners
from rig.node.views import release_view

NO_NETWORK = NetworkState()
NOTHING = Supplied()


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


def require_unlocked(state: AppState) -> None:
    """One release of an app at a time. Raises `RigError` ``locked`` that says who, since when and why."""
    if not state.pending:
        return
    holder = state.releases[state.pending]
    since = rfc3339(holder.created_at)
    said = f", saying “{holder.started.message}”" if holder.started.message else ""
    raise RigError(
        "locked",
        f"{holder.created_by} is deploying v{state.pending} of `{state.name}` since {since}{said}.",
        f"Try again when it is done; `rig status app {state.name}` shows how far it is.",
        holder=holder.created_by,
        since=since,
        version=state.pending,
        said=holder.started.message,
    )


def changes(state: AppState, bundle: str, config: dict[str, Any], supplied: Supplied = NOTHING) -> list[str]:
    """What differs from the release that serves, as ``source``, ``env.NAME``, ``secret.NAME``, ``processes.web``."""
    current = state.releases.get(state.current)
    if current is None:
        return ["first release"]
    before = current.started
    changed = ["source"] if before.bundle != bundle else []
    for table in sorted({*before.config, *config, "env"}):
        if table == "env":
            # What counts is what the processes get, wherever it comes from.
            changed += differences(stacks_of(before), resolve(layers(supplied, config.get("env", {}))))
            changed += memory_changes(before.supplied, supplied)
            continue
        old, new = before.config.get(table, {}), config.get(table, {})
        changed += [f"{table}.{key}" for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return changed


def handle(command: StartRelease, ctx: NodeContext) -> Release:
    world, network = ctx.ports.world, split_app(command.app)[0]
    if network not in world.existing_networks():
        if not command.create:
            world.network(network)
        found(network, ctx)
    if not ctx.ports.bundles.complete(network, command.bundle):
        raise RigError(
            "not_found",
            f"Bundle {command.bundle[:12]} is not on the node.",
            "Deploy again; what is missing is sent then.",
        )
    stream, state = f"app:{command.app}", world.apps.get(command.app, AppState())
    inherited = world.networks.get(network, NO_NETWORK)
    facts = decide(state, command, ctx.ports.isolation, inherited)
    require_readable(facts, ctx)
    for fact in facts:
        ctx.emit(stream, fact, target=command.app, expect=world.version(stream))
        state = evolve(state, fact, happening(ctx))
    return release_view(state, state.last, ctx.ports)
