"""Change how many processes of an app run, and how much memory they may take."""

from __future__ import annotations

from collections.abc import Mapping

from events.app import AppLimited, AppScaled, AppState
from events.base import Fact
from rig.contract.apps import App, UpdateApp
from rig.contract.names import split_app
from rig.kernel.apps import counts_of
from rig.kernel.errors import RigError
from rig.node.emitting import emit_app
from rig.node.memory import wanted_limits
from rig.node.ports import NodeContext
from rig.node.rules import require_limiter, require_process, require_unlocked
from rig.node.since import APPS, require_match
from rig.node.variables.change import release_facts
from rig.node.variables.readable import require_readable
from rig.node.views import app_view


def decide(state: AppState, command: UpdateApp, problem: str = "") -> list[Fact]:
    """The facts of a change, none where nothing changes. ``problem``: why memory cannot be limited on this node.

    Raises `RigError` ``invalid_data``, ``conflict``, ``locked``, ``bad_config`` or ``usage``.
    """
    name, processes = state.name, counts_of(state, state.current)
    if not command.scale and not command.memory:
        raise RigError(
            "usage", "Nothing to change.", f"Say what, as `rig update app {name} --scale web=2` or `--memory 512M`."
        )
    return [*scaled(name, processes, command.scale), *limited(state, command.memory, problem)]


def scaled(name: str, processes: Mapping[str, int], scale: Mapping[str, int]) -> list[Fact]:
    """The facts of other numbers than those of now. Raises `RigError` ``invalid_data`` or ``conflict``."""
    if scale and not processes:
        raise RigError("conflict", f"`{name}` has no processes yet.", f"Deploy it first: `rig deploy --app {name}`.")
    for process in scale:
        require_process(name, process, processes)
    changed = {process: count for process, count in scale.items() if processes[process] != count}
    return [AppScaled(name=name, scale=changed)] if changed else []


def limited(state: AppState, asked: list[str], problem: str) -> list[Fact]:
    """The facts of other limits of memory. Raises `RigError` ``invalid_data``, ``locked`` or ``bad_config``."""
    limits = wanted_limits(state.name, state.memory, asked, counts_of(state, state.current))
    if limits == state.memory:
        return []
    if any(limits.values()):
        require_limiter(problem)
    require_unlocked(state)
    return [AppLimited(name=state.name, memory=limits, before=state.memory)]


def handle(command: UpdateApp, ctx: NodeContext) -> App:
    world = ctx.ports.world
    state = world.app(command.app)
    require_match(APPS, f"app:{command.app}", command.app, state.revision, command.expect, ctx)
    facts = decide(state, command, ctx.ports.memory_problem())
    state = emit_app(command.app, state, facts, ctx)
    # A limit is part of a release, as variables are: it is started, checked, and can be rolled back.
    if any(isinstance(fact, AppLimited) for fact in facts):
        made = release_facts(state, world.network(split_app(command.app)[0]), ctx.ports.isolation)
        require_readable(made, ctx)
        state = emit_app(command.app, state, made, ctx)
    return app_view(state, ctx.ports)
