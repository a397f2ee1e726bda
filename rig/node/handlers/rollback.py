"""Restore an earlier release as a new one, without a build."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from events.app import AppState, DeployBuilt, DeployStarted
from events.base import Fact
from rig.contract.names import split_app
from rig.contract.releases import Rollback, RollbackReport, version_number
from rig.kernel.errors import RigError
from rig.kernel.words import some_of
from rig.node.emitting import emit_app
from rig.node.ports import NodeContext
from rig.node.releases import changes, collected, find_good, fits, isolated_otherwise
from rig.node.rules import require_unlocked
from rig.node.variables.change import restore, restore_memory, told_limits
from rig.node.variables.readable import require_readable
from rig.node.variables.resolve import differences, stacks_next, stacks_of, winners
from rig.node.views import release_view

NOT_RESTORED = [
    "data: files that the app wrote, and databases",
    "migrations: what a `release:` command changed stays changed; it is not run again",
]


def every(build: str) -> bool:
    """For where it is known that the build is there."""
    return True


def choose(state: AppState, version: int, there: Callable[[str], bool] = every, isolation: str = "") -> int:
    """The release to restore: the one asked for, else the newest good one before the one that serves.

    ``there`` tells whether a build is still there; it has to have been made with the ``isolation`` that is in force,
    where that is said. Raises `RigError` ``not_found``, or ``conflict`` where there is nothing to go back to.
    """
    if version:
        release = find_good(state, version)
        if version == state.current:
            raise RigError("conflict", f"v{version} of `{state.name}` serves already.", "Name an earlier release.")
        if not there(release.build):
            raise collected(state.name, version, release)
        if not fits(release, isolation):
            raise isolated_otherwise(state.name, version, release, isolation)
        return version
    kept = {
        v: release
        for v, release in state.releases.items()
        if release.outcome == "succeeded" and v < state.current and there(release.build)
    }
    good = [v for v, release in kept.items() if fits(release, isolation)]
    if kept and not good:
        raise isolated_otherwise(state.name, max(kept), kept[max(kept)], isolation)
    if not good:
        raise RigError(
            "conflict",
            f"`{state.name}` has no earlier release to go back to.",
            f"`rig history {state.name}` lists them.",
        )
    return max(good)


def decide(
    state: AppState, version: int, message: str, isolation: str, there: Callable[[str], bool] = every
) -> list[Fact]:
    """The facts of rolling back: a new release with the build, variables and secrets of the old one."""
    require_unlocked(state)
    chosen = choose(state, version, there, isolation)
    old = state.releases[chosen]
    number = state.last + 1
    started = DeployStarted(
        app=state.name,
        version=number,
        bundle=old.started.bundle,
        config=old.started.config,
        source=old.started.source,
        message=message or f"rollback to v{chosen}",
        changed=changes(state, old.started.bundle, old.started.config, old.started.supplied),
        previous=state.current,
        rollback_of=chosen,
        isolation=isolation,
        supplied=old.started.supplied,
        environment=old.started.environment,
    )
    built = DeployBuilt(app=state.name, version=number, build=old.build, processes=old.processes)
    # What comes after the rollback goes on from what it restored, too.
    supplied = old.started.supplied
    return [*restore(state.name, state.config, supplied), *restore_memory(state, supplied), started, built]


def handle(command: Rollback, ctx: NodeContext) -> RollbackReport:
    before = ctx.ports.world.app(command.app)

    def there(build: str) -> bool:
        return ctx.ports.builds.has(command.app, build)

    facts = decide(before, version_number(command.version), command.message, ctx.ports.isolation, there)
    require_readable(facts, ctx)
    state = emit_app(command.app, before, facts, ctx)
    view = release_view(state, state.last, ctx.ports)
    restored = [
        f"source: bundle {view.bundle[:12]}" + (f", commit {view.source.commit[:12]}" if view.source.commit else ""),
        f"build: {view.build}",
        *restored_variables(state.releases[state.last].started),
        f"processes: {', '.join(sorted(view.processes)) or 'none'}",
        *([f"memory: {told_limits(view.supplied.memory)}"] if view.supplied.memory else []),
    ]
    return RollbackReport(
        release=view,
        restored=restored,
        not_restored=[*NOT_RESTORED, *_left(command.app, state, ctx)],
        undo=f"rig rollback {command.app} v{before.current}" if before.current else "",
    )


def restored_variables(started: DeployStarted) -> list[str]:
    """What a release has of variables and secrets, to be told."""
    won = {name: entry for name, entry in winners(stacks_of(started)).items() if entry.origin != "node"}
    variables = sorted(name for name, entry in won.items() if entry.ref is None)
    secrets = sorted(name for name, entry in won.items() if entry.ref is not None)
    return [
        f"variables: {', '.join(variables) or 'none'}",
        *([f"secrets: {', '.join(secrets)}"] if secrets else []),
    ]


def _left(app: str, state: AppState, ctx: NodeContext) -> list[str]:
    """What the network gives otherwise by now: this release has it as it was, and the next one will not."""
    network = ctx.ports.world.network(split_app(app)[0])
    restored = state.releases[state.last].started
    now = msgspec.structs.replace(state, current=state.last)
    changed = [name.partition(".")[2] for name in differences(stacks_of(restored), stacks_next(network, now))]
    return [f"for later releases: {some_of(sorted(changed))}, which the network has changed since"] if changed else []
