"""The steps of one release, in order: its build, its release command, what is to be started of it."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from events.app import AppState, ReleaseState
from events.release import Promoted
from rig.contract.names import split_app
from rig.contract.project import AppConfig, DeployConfig
from rig.kernel.apps import memory_of
from rig.kernel.disk import is_full
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.node.builder.launch import launch, process_commands, release_command
from rig.node.builder.model import Build, BuildPaths, BuildRequest, load_build, save_build
from rig.node.builder.output import BuildLog
from rig.node.builder.pipeline import abandon
from rig.node.builder.pipeline import build as run_build
from rig.node.builder.settings import build_settings
from rig.node.builder.transfer import copy_build
from rig.node.bundles.materialise import materialise
from rig.node.bundles.store import Store
from rig.node.deploy.keys import build_of
from rig.node.deploy.logs import kept_log
from rig.node.paths import NodePaths
from rig.node.runtime.driver import Driver, ProcessSpec
from rig.node.runtime.removal import remove_tree
from rig.node.supervisor.model import InstanceSpec
from rig.node.variables.resolve import build_environment, build_secrets, environment, secret_names
from rig.node.world import config_of

UNCOPIED = frozenset({errno.ENAMETOOLONG, errno.EACCES, errno.EPERM})
"""What stands in the way of a copy and lies in what was built: paths that are too long, folders that are closed."""
WEB = "web"
"""The process type that serves: it gets a port, a health check, and the requests of the app's hostname."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One release that is being made."""

    app: str
    version: int
    release: ReleaseState
    config: AppConfig
    paths: BuildPaths
    env: dict[str, str]
    """What its processes get, the values of its secrets among it: never written to disk, never logged."""
    build_env: dict[str, str]
    """What its build gets, if it has yet to be made; never written to disk either."""
    build_secrets: dict[str, str]
    """Names in ``build_env`` that are secrets, each with its keyed digest."""
    secrets: tuple[str, ...]
    """Names in ``env`` that are secrets. Their values are hidden in what its processes print."""


def job_of(
    paths: NodePaths,
    state: AppState,
    version: int,
    driver: Driver,
    reveal: Callable[[str, str, int], str],
) -> Job:
    """What there is to do for a release. Raises `RigError` ``bad_config``, or ``failed`` for a secret that is lost."""
    app, release = state.name, state.releases[version]
    config = config_of(release.started)
    key = build_of(state, version, driver.isolation)
    scopes = {"network": split_app(app)[0], "app": app}
    built = bool(release.build)
    return Job(
        app=app,
        version=version,
        release=release,
        config=config,
        paths=BuildPaths(paths.app(app), key),
        env=environment(release.started, scopes, reveal),
        build_env={} if built else build_environment(release.started, scopes, reveal),
        build_secrets={} if built else {name: ref.digest for name, ref in build_secrets(release.started).items()},
        secrets=tuple(secret_names(release.started)),
    )


async def provide_build(job: Job, store: Store, nodepaths: NodePaths, driver: Driver) -> tuple[Build, bool]:
    """The build of a release, and whether it had to be made. An earlier one's has to be there."""
    found = await asyncio.to_thread(load_build, job.paths)
    if found is not None:
        return found, False
    if job.release.build or job.release.started.rollback_of:
        raise RigError(
            "build_failed",
            f"The build on which v{job.version} stands is no longer on the node.",
            "Deploy that commit again; it is built anew then.",
        )
    await asyncio.to_thread(_fresh_source, store, job.release.started.bundle, job.paths)
    failpoint("source.laid")
    request = BuildRequest(
        owner=job.app,
        paths=job.paths,
        config=job.config,
        env=job.build_env,
        secrets=job.build_secrets,
        settings=build_settings(),
    )
    log = kept_log(nodepaths, job.app, job.version, "build")
    try:
        return await run_build(request, driver), True
    finally:
        await asyncio.to_thread(_keep, job.paths.log, log)


async def take_over_build(
    job: Job, promoted: Promoted, nodepaths: NodePaths, driver: Driver, there: Callable[[], bool]
) -> Build:
    """The build of a release that was promoted, copied from the other app unless that was done already.

    ``there`` tells whether the other app was not deleted meanwhile: it goes after that fact. Raises `RigError`.
    """
    kept = await asyncio.to_thread(load_build, job.paths)
    if kept is not None:
        return kept
    source = BuildPaths(nodepaths.app(promoted.app), promoted.build)
    found = await asyncio.to_thread(load_build, source)
    try:
        build = await asyncio.to_thread(copy_build, found, source, job.paths, driver, job.app) if found else None
    except OSError as error:
        if error.errno in UNCOPIED and there():
            raise RigError(
                "build_failed",
                f"The build of v{promoted.version} of `{promoted.app}` cannot be copied: {os.strerror(error.errno)}.",
                f"Deploy that source: `rig deploy --app {job.app}`.",
            ) from error
        if is_full(error) or there():
            raise
        build = None
    if build is None or not there():
        raise RigError(
            "build_failed",
            f"The build of v{promoted.version} of `{promoted.app}` is no longer on the node.",
            f"Deploy that source again: `rig deploy --app {job.app}`.",
        )
    failpoint("promotion.copied")
    await asyncio.to_thread(save_build, build, job.paths)
    failpoint("promotion.kept")
    return build


async def run_release_command(job: Job, build: Build, nodepaths: NodePaths, driver: Driver) -> None:
    """Run the release command once, if there is one. Raises `RigError` ``release_failed``."""
    command = release_command(build, job.config)
    if not command or job.release.started.rollback_of:
        return
    log_path = kept_log(nodepaths, job.app, job.version, "release")
    log_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    started = launch(build, job.paths, driver, command=command, env=job.env)
    state_dir = _release_folder(nodepaths, job)
    await asyncio.to_thread(shutil.rmtree, state_dir, ignore_errors=True)
    spec = ProcessSpec(
        id=f"release-v{job.version}",
        owner=job.app,
        argv=started.argv,
        env=started.env,
        secrets=job.secrets,
        cwd=started.cwd,
        mounts=started.mounts,
        state_dir=state_dir,
        log_dir=state_dir / "log",
    )
    seconds = job.config.deploy.release_timeout
    with BuildLog(log_path) as log:
        log.heading(f"Running the release command `{command}`")
        try:
            status = await driver.run(spec, seconds, log.output)
        except TimeoutError as error:
            raise RigError(
                "release_failed",
                f"The release command took longer than {seconds} seconds and was ended.",
                "Raise `release_timeout` under `[deploy]` in rig.toml if it needs longer.",
                output=log.tail(),
            ) from error
        finally:
            await asyncio.to_thread(shutil.rmtree, state_dir, ignore_errors=True)
        if status.code != 0:
            raise RigError(
                "release_failed",
                f"The release command `{command}` ended with {status}.",
                f"`rig logs build {job.app} v{job.version}` shows its output.",
                output=log.tail(),
            )


def instance_specs(job: Job, build: Build, driver: Driver, counts: dict[str, int]) -> list[InstanceSpec]:
    """The wanted instances of a release: ``counts`` says how many of each process type."""
    commands = process_commands(build, job.config)
    specs = []
    for process, command in commands.items():
        given = job.config.processes.get(process)
        started = launch(build, job.paths, driver, command=command, env=job.env)
        specs += [
            InstanceSpec(
                app=job.app,
                version=job.version,
                process=process,
                index=index,
                argv=started.argv,
                env=started.env,
                secrets=job.secrets,
                cwd=started.cwd,
                mounts=started.mounts,
                stop_timeout=given.stop_timeout if given else 10,
                memory=memory_of(job.release.started, process),
                port=process == WEB,
            )
            for index in range(1, counts.get(process, 1) + 1)
        ]
    return specs


async def end_leftovers(job: Job, nodepaths: NodePaths, driver: Driver) -> None:
    """End what still runs of a build or release command whose node was killed."""
    await abandon(job.paths, driver)
    handle = driver.adopt(_release_folder(nodepaths, job))
    if handle is not None and driver.alive(handle):
        await driver.stop(handle)


def drain_of(state: AppState) -> int:
    """How many seconds requests in flight are given by the release that serves."""
    release = state.serving
    try:
        return (config_of(release.started) if release else AppConfig()).deploy.drain
    except RigError:
        return DeployConfig().drain


def _release_folder(paths: NodePaths, job: Job) -> Path:
    """Where the state of a running release command lies."""
    return paths.app(job.app) / "releases" / f"v{job.version}.running"


def _fresh_source(store: Store, bundle: str, paths: BuildPaths) -> None:
    """Lay the source out anew: what an interrupted build left of it may have been changed by that build."""
    remove_tree(paths.root)
    paths.root.mkdir(parents=True, mode=0o700)
    materialise(store, bundle, paths.source)


def _keep(log: Path, kept: Path) -> None:
    """Copy a build's log to its release: the next attempt at the same build writes the first file anew."""
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if log.exists():
        partial = kept.with_suffix(".partial")
        shutil.copyfile(log, partial)
        partial.replace(kept)
