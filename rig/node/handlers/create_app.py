"""Make an app."""

from __future__ import annotations

from events.app import AppCreated, AppLimited, AppScaled, AppState
from events.base import Fact
from rig.contract.apps import App, CreateApp
from rig.contract.names import split_app
from rig.kernel.errors import RigError
from rig.node.emitting import emit_app
from rig.node.memory import wanted_limits
from rig.node.ports import NodeContext
from rig.node.rules import require_limiter, require_room
from rig.node.views import app_view


def decide(state: AppState, command: CreateApp, problem: str = "") -> list[Fact]:
    """The facts of making an app. ``problem``: why memory cannot be limited on this node.

    Raises `RigError` ``already_exists``, ``bad_config`` or ``invalid_data``.
    """
    name = command.app
    if state.exists:
        raise RigError("already_exists", f"There is an app `{name}` already.", f"See it with `rig details app {name}`.")
    limits = wanted_limits(name, {}, command.memory)
    if any(limits.values()):
        require_limiter(problem)
    scaled = [AppScaled(name=name, scale=command.process)] if command.process else []
    limited = [AppLimited(name=name, memory=limits)] if limits else []
    return [AppCreated(name=name), *scaled, *limited]


def handle(command: CreateApp, ctx: NodeContext) -> App:
    world = ctx.ports.world
    network = split_app(command.app)[0]
    world.network(network)
    state = world.apps.get(command.app, AppState())
    facts = decide(state, command, ctx.ports.memory_problem())
    require_room(network, len(world.apps_of(network)))
    return app_view(emit_app(command.app, state, facts, ctx), ctx.ports)
