"""What a promotion is: the release of one app that another one gets, and which release that makes of it."""

from __future__ import annotations

from typing import Any

import msgspec

from events.app import AppState, DeployBuilt, DeployStarted, ReleaseState
from events.network import NetworkState
from events.release import Promoted
from rig.contract.names import split_app
from rig.contract.project import AppConfig
from rig.kernel.errors import RigError
from rig.node.ports import Builds, NodeContext
from rig.node.releases import changes, collected, find_good, fits, isolated_otherwise
from rig.node.variables.resolve import supply
from rig.node.world import config_of, no_app


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """Two apps, and the release of the first that the second is to get."""

    source: AppState
    version: int
    target: AppState
    network: NetworkState
    """The target's."""
    isolation: str
    build: str
    """Id of the build in the target."""
    serves: bool = False
    """Whether the release of the target that serves stands on that very build."""

    @property
    def release(self) -> ReleaseState:
        return self.source.releases[self.version]

    @property
    def current(self) -> ReleaseState | None:
        """The release of the target that serves."""
        return self.target.serving


def choose(source: AppState, target: str, version: int) -> int:
    """The release of the source that is meant. Raises `RigError` ``conflict`` or ``not_found``."""
    if source.name == target:
        raise RigError(
            "conflict",
            f"`{target}` cannot be promoted to itself.",
            f"`rig rollback {target} vN` brings an earlier release of it back.",
        )
    if not version and not source.current:
        raise RigError(
            "conflict",
            f"`{source.name}` has nothing to promote: no release of it serves.",
            f"Deploy it first: `rig deploy --app {source.name}`.",
        )
    return find_good(source, version or source.current).started.version


def configured(release: ReleaseState, current: ReleaseState | None) -> AppConfig:
    """The configuration of the new release: what belongs to the source comes along, how the target is run stays.

    Of the source are commands, build, `[env]`, the path that health is asked at; of the target numbers, limits, times.
    """
    theirs = config_of(release.started)
    if current is None:
        return theirs
    ours = config_of(current.started)
    processes = {}
    for name in release.processes:
        given = theirs.processes.get(name)
        kept = ours.processes.get(name) or given
        if kept is not None:
            processes[name] = msgspec.structs.replace(kept, command=given.command if given else "")
    return AppConfig(
        build=theirs.build,
        processes=processes,
        health=msgspec.structs.replace(ours.health, path=theirs.health.path),
        env=theirs.env,
        deploy=msgspec.structs.replace(ours.deploy, release=theirs.deploy.release),
    )


def begin(asked: Promotion, message: str = "") -> tuple[DeployStarted, DeployBuilt]:
    """The facts of the release that a promotion makes. Raises `RigError` ``conflict`` or ``bad_config``."""
    if not fits(asked.release, asked.isolation):
        raise isolated_otherwise(asked.source.name, asked.version, asked.release, asked.isolation)
    started, current = asked.release.started, asked.current
    deployed = current.started if current else None
    config: dict[str, Any] = msgspec.to_builtins(configured(asked.release, current))
    supplied = supply(
        asked.network.config,
        asked.target.config,
        environment=deployed.supplied.vars.get("environment") if deployed else None,
        memory=asked.target.memory,
    )
    number = asked.target.last + 1
    begun = DeployStarted(
        app=asked.target.name,
        version=number,
        bundle=started.bundle,
        config=config,
        source=started.source,
        message=message or f"promoted from {asked.source.name} v{asked.version}",
        changed=changes(asked.target, started.bundle, config, supplied),
        previous=asked.target.current,
        isolation=asked.isolation,
        supplied=supplied,
        environment=deployed.environment if deployed else "",
        promoted=Promoted(app=asked.source.name, version=asked.version, build=asked.release.build),
    )
    built = DeployBuilt(app=asked.target.name, version=number, build=asked.build, processes=asked.release.processes)
    return begun, built


def serves_already(asked: Promotion, begun: DeployStarted) -> bool:
    """Whether the release would be what serves; what was staged for the target is no matter of a promotion."""
    current = asked.current
    return asked.serves and current is not None and current.started.config == begun.config


def gather(app: str, source: str, version: int, ctx: NodeContext) -> Promotion:
    """What there is of the two apps. Raises `RigError` where one may not be seen, or the build is not there."""
    world = ctx.ports.world
    if not ctx.ports.principal.permits("read", split_app(source)[0]):
        raise no_app(source)
    if not world.exists(app):
        raise RigError("not_found", f"There is no app `{app}`.", f"Make it first: `rig create app {app}`.")
    target, origin = world.app(app), world.app(source)
    chosen = choose(origin, app, version)
    build = origin.releases[chosen].build
    made = ctx.ports.builds.made(source, build)
    if not made:
        raise collected(source, chosen, origin.releases[chosen])
    current = target.serving
    return Promotion(
        source=origin,
        version=chosen,
        target=target,
        network=world.network(split_app(app)[0]),
        isolation=ctx.ports.isolation,
        build=name_of(build, made, target, ctx.ports.builds),
        serves=current is not None and ctx.ports.builds.made(app, current.build) == made,
    )


def name_of(build: str, made: int, target: AppState, builds: Builds) -> str:
    """The id of a build in the target: its own, unless the target has another build by that id.

    That can be: a build made twice of the same source has the same id, and what it has installed need not be the same.
    """
    taken = {build, *(release.build for release in target.releases.values())}
    for name in sorted(one for one in taken if one == build or one.startswith(f"{build}-p")):
        if builds.made(target.name, name) in (made, 0):
            return name
    return f"{build}-p{target.last + 1}"
