"""From facts to what they ask for: releases are made, apps scaled and taken down.

The deployer hears of every fact that the node records, and works on one thing at a time for each app. It decides
nothing: what should be is in the world, and after a crash it goes on from there.

The order of a switch: the new instances are healthy; the edge sends them the requests; ``deploy.succeeded`` is
recorded; the old instances drain and end. A node that is killed in between finds when it starts either a release that
is still being made, with the old one running, or one that succeeded, with old instances to end.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Coroutine
from typing import Any, Protocol

from events.app import (
    AppCrashed,
    AppCreated,
    AppDeleted,
    AppScaled,
    DeployBuilt,
    DeployFailed,
    DeployStarted,
    DeploySucceeded,
)
from events.base import Fact
from rig.contract.apps import Instance as InstanceReply
from rig.contract.names import split_app
from rig.contract.releases import Phase
from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded
from rig.node.builder.launch import process_commands
from rig.node.builder.model import Build, load_build
from rig.node.bundles.store import Store
from rig.node.deploy.routing import Routing
from rig.node.deploy.steps import (
    Job,
    end_leftovers,
    instance_specs,
    job_of,
    provide_build,
    run_release_command,
)
from rig.node.health import wait_alive, wait_ready
from rig.node.logs.reader import LogReader
from rig.node.paths import NodePaths
from rig.node.runtime.driver import Driver
from rig.node.supervisor.instance import Instance
from rig.node.supervisor.model import InstanceSpec
from rig.node.supervisor.supervisor import Supervisor
from rig.node.views import counts_of
from rig.node.world import World

log = logging.getLogger("rig.node.deploy")

STEADY_SECONDS = 2.0
"""How long a process that serves nothing has to run to count as healthy."""
OUTPUT_LINES = 20
"""How many of the last lines of a process explain why it failed."""


class Record(Protocol):
    """Puts facts about an app on the node's record, under the actor and correlation of what they follow from."""

    async def __call__(self, app: str, facts: list[Fact], *, outcome: str, cause: Recorded | None) -> None: ...


class StoreFor(Protocol):
    def __call__(self, network: str) -> Store: ...


class Deployer:
    """Makes what runs agree with the world."""

    def __init__(
        self,
        world: World,
        paths: NodePaths,
        driver: Driver,
        supervisor: Supervisor,
        routing: Routing,
        store_for: StoreFor,
        record: Record,
    ) -> None:
        self._world = world
        self._paths = paths
        self._driver = driver
        self._supervisor = supervisor
        self._routing = routing
        self._store_for = store_for
        self._record = record
        self._phases: dict[str, Phase] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._news: dict[str, asyncio.Event] = {}
        self._draining: set[str] = set()
        """Ids of instances that get no new requests and are about to end."""

    # -- what the API asks ------------------------------------------------------------------------------------------

    def instances(self, app: str) -> list[InstanceReply]:
        """The instances of an app as they are now."""
        return [info.reply() for info in self._supervisor.instances(app, memory=True)]

    def phase(self, app: str) -> Phase:
        """The phase of the release that is being made."""
        return self._phases.get(app, "queued")

    async def changed(self, app: str, seconds: float) -> None:
        """Wait until a phase changes or a fact about the app is recorded, at most so long."""
        news = self._news.setdefault(app, asyncio.Event())
        try:
            async with asyncio.timeout(seconds):
                await news.wait()
        except TimeoutError:
            pass

    # -- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take over what an earlier node left running, start what should run, go on with unfinished releases."""
        wanted: list[InstanceSpec] = []
        for app in self._world.existing_apps():
            try:
                wanted += await self._current_specs(app)
            except RigError as error:
                log.error("%s cannot be started: %s", app, error.message)
        await self._supervisor.adopt(wanted)
        await self._routing.apply(self._supervisor)
        for app in self._world.existing_apps():
            state = self._world.app(app)
            if state.pending:
                self._spawn(self._resume(app, state.pending))

    async def close(self) -> None:
        """Stop working. Releases that are being made are taken up again by the next node."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hear(self, record: Recorded) -> None:
        """Take up what a new fact asks for. Called on the event loop."""
        app = record.stream.removeprefix("app:")
        if app == record.stream:
            return
        self._tell(app)
        match record.fact:
            case DeployStarted():
                self._phases[app] = "queued"
                self._spawn(self._make(app, record.fact.version, record))
            case AppCreated() | AppCrashed():
                self._spawn(self._routing.refresh())
            case AppScaled():
                self._spawn(self._scale(app))
            case AppDeleted():
                self._spawn(self._take_down(app))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _lock(self, app: str) -> asyncio.Lock:
        return self._locks.setdefault(app, asyncio.Lock())

    def _tell(self, app: str) -> None:
        """Wake those who wait for news of the app."""
        self._news.pop(app, asyncio.Event()).set()

    def _enter(self, app: str, phase: Phase) -> None:
        self._phases[app] = phase
        self._tell(app)

    # -- releases ---------------------------------------------------------------------------------------------------

    async def _resume(self, app: str, version: int) -> None:
        job = job_of(self._paths, app, version, self._world.app(app).releases[version], self._driver)
        await end_leftovers(job, self._paths, self._driver)
        await self._make(app, version, None)

    async def _make(self, app: str, version: int, cause: Recorded | None) -> None:
        """Make one release, from its build to the end of the old instances; record how it ended."""
        async with self._lock(app):
            release = self._world.app(app).releases[version]
            job = job_of(self._paths, app, version, release, self._driver)
            launched: list[Instance] = []
            old = [instance for instance in self._supervisor.committed(app) if instance.id not in self._draining]
            try:
                build = await self._build(job, cause)
                self._enter(app, "releasing")
                await run_release_command(job, build, self._paths, self._driver)
                self._enter(app, "starting")
                for spec in instance_specs(job, build, self._driver, counts_of(self._world.app(app), version)):
                    launched.append(await self._supervisor.launch(spec))
                self._enter(app, "checking")
                await self._check(job, launched)
                self._enter(app, "switching")
                await self._switch(job, launched, old, cause)
            except Exception as raised:
                await asyncio.gather(*(self._supervisor.end(instance) for instance in launched))
                await self._fail(job, raised, cause)
                return
            finally:
                self._phases.pop(app, None)
            # The next release need not wait until the last request to the old one has ended.
            self._draining |= {instance.id for instance in old}
            self._spawn(self._drain(job, old))

    async def _build(self, job: Job, cause: Recorded | None) -> Build:
        self._enter(job.app, "building")
        store = self._store_for(split_app(job.app)[0])
        build, rebuilt = await provide_build(job, store, self._paths, self._driver)
        if not job.release.build:
            processes = process_commands(build, job.config)
            fact = DeployBuilt(app=job.app, version=job.version, build=build.id, rebuilt=rebuilt, processes=processes)
            await self._record(job.app, [fact], outcome="success", cause=cause)
        return build

    async def _check(self, job: Job, launched: list[Instance]) -> None:
        """Wait until every new instance is ready. Raises `RigError` with its last output for the first that is not."""
        waiting = {asyncio.create_task(self._check_one(job, instance)) for instance in launched}
        try:
            for done in asyncio.as_completed(waiting):
                await done
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _check_one(self, job: Job, instance: Instance) -> None:
        try:
            if instance.port:
                await wait_ready(
                    instance.port,
                    job.config.health,
                    pids=instance.pids,
                    exited=instance.exited,
                    hostname=self._routing.hostname(job.app),
                )
            else:
                await wait_alive(instance.exited, STEADY_SECONDS)
        except RigError as error:
            error.details.setdefault("output", await asyncio.to_thread(last_lines, instance))
            error.details.setdefault("instance", instance.name)
            raise

    async def _switch(self, job: Job, launched: list[Instance], old: list[Instance], cause: Recorded | None) -> None:
        """Send the app's requests to the new instances and put it on the record; all of it, or none."""
        await self._routing.switch(job.app, [instance.port for instance in launched if instance.port])
        try:
            for instance in launched:
                self._supervisor.commit(instance)
            fact = DeploySucceeded(
                app=job.app, version=job.version, bundle=job.release.started.bundle, url=self._routing.url(job.app)
            )
            await self._record(job.app, [fact], outcome="success", cause=cause)
        except Exception:
            await self._routing.switch(job.app, [instance.port for instance in old if instance.port])
            raise

    async def _drain(self, job: Job, old: list[Instance]) -> None:
        """Let requests in flight end, for as long as the release allows, then end the old instances."""
        ports = [instance.port for instance in old if instance.port]
        if ports and job.config.deploy.drain:
            await self._routing.drained(ports, job.config.deploy.drain)
        await asyncio.gather(*(self._supervisor.end(instance) for instance in old))
        self._draining -= {instance.id for instance in old}

    async def _fail(self, job: Job, raised: Exception, cause: Recorded | None) -> None:
        if isinstance(raised, RigError):
            error = raised
        else:
            log.exception("making v%d of %s", job.version, job.app, exc_info=raised)
            error = RigError("internal", f"The node failed in a way it should not: {type(raised).__name__}.")
        fact = DeployFailed(
            app=job.app,
            version=job.version,
            code=error.code,
            reason=error.message,
            hint=error.hint,
            output=[str(line) for line in error.details.get("output", [])],
        )
        await self._record(job.app, [fact], outcome="failure", cause=cause)

    # -- scaling and taking down ------------------------------------------------------------------------------------

    async def _current_specs(self, app: str) -> list[InstanceSpec]:
        """What should run of an app now. Raises `RigError` where its build is gone or does not fit any more."""
        state = self._world.app(app)
        if not state.current:
            return []
        job = job_of(self._paths, app, state.current, state.releases[state.current], self._driver)
        build = await asyncio.to_thread(load_build, job.paths)
        if build is None:
            raise RigError("failed", f"The build of v{state.current} is no longer there.", "Deploy it again.")
        return instance_specs(job, build, self._driver, counts_of(state, state.current))

    async def _scale(self, app: str) -> None:
        async with self._lock(app):
            specs = await self._current_specs(app)
            wanted = {spec.key for spec in specs}
            staying = [i.port for i in self._supervisor.committed(app) if i.port and i.key in wanted]
            if staying:
                # Those that are to go get no new requests before they are ended.
                await self._routing.switch(app, staying)
            await self._supervisor.set_desired(app, specs)
            staying = [i.port for i in self._supervisor.committed(app) if i.port and i.id not in self._draining]
            await self._routing.switch(app, staying)
        self._tell(app)

    async def _take_down(self, app: str) -> None:
        async with self._lock(app):
            await self._routing.remove(app)
            await self._supervisor.set_desired(app, [])
            if app not in self._world.existing_apps():
                await asyncio.to_thread(shutil.rmtree, self._paths.app(*split_app(app)), ignore_errors=True)


async def guarded(work: Coroutine[Any, Any, None]) -> None:
    """Do ``work`` in the background; what it raises is logged, since nobody waits for it."""
    try:
        await work
    except asyncio.CancelledError:
        raise
    except RigError as error:
        log.error("%s", error.message)
    except Exception:
        log.exception("work in the background failed")


def last_lines(instance: Instance) -> list[str]:
    """The last lines that an instance wrote."""
    return [line.text for line in LogReader(instance.log_dir).tail(OUTPUT_LINES)]
