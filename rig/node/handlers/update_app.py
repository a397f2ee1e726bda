"""Change how many processes of an app run."""

from __future__ import annotations

from events.app import AppScaled, evolve
from events.base import Fact
from rig.contract.apps import App, UpdateApp
from rig.kernel.apps import counts_of
from rig.kernel.errors import RigError
from rig.node.ports import NodeContext, happening
from rig.node.views import app_view


def decide(name: str, processes: dict[str, int], scale: dict[str, int]) -> list[Fact]:
    """The facts of scaling, none where nothing changes. Raises `RigError` ``invalid_data``, ``conflict``, ``usage``."""
    if not scale:
        raise RigError("usage", "Nothing to change.", f"Say what, as `rig update app {name} --scale web=2`.")
    if not processes:
        raise RigError("conflict", f"`{name}` has no processes yet.", f"Deploy it first: `rig deploy --app {name}`.")
    for process in scale:
        if process not in processes:
            known = ", ".join(sorted(processes))
            raise RigError("invalid_data", f"`{name}` has no process type `{process}`.", f"It has: {known}.")
    changed = {process: count for process, count in scale.items() if processes[process] != count}
    return [AppScaled(name=name, scale=changed)] if changed else []


def handle(command: UpdateApp, ctx: NodeContext) -> App:
    state = ctx.ports.world.app(command.app)
    for fact in decide(command.app, counts_of(state, state.current), command.scale):
        ctx.emit(f"app:{command.app}", fact, target=command.app)
        state = evolve(state, fact, happening(ctx))
    return app_view(state, ctx.ports)
