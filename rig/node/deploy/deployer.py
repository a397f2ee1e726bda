"""From facts to what they ask for: releases are made, apps scaled and taken down.

The deployer hears of every fact that the node records, and works on one thing at a time for each app. It decides
nothing: what should be is in the world, and after a crash it goes on from there.

The order of a switch: the new instances are healthy; the edge sends them the requests; ``deploy.succeeded`` is
recorded; the old instances drain and end. A node that is killed in between finds when it starts either a release that
is still being made, with the old one running, or one that succeeded, with old instances to end. So each step of a
release may be done again, its release command among them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from events.app import (
    AppCrashed,
    AppCreated,
    AppDeleted,
    AppRestarted,
    AppRestartRequested,
    AppScaled,
    AppStarted,
    AppStopped,
    DeployBuilt,
    DeployFailed,
    DeployRolledBack,
    DeployStarted,
    DeploySucceeded,
)
from events.base import Fact
from events.network import NetworkDeleted
from rig.contract.apps import Instance as InstanceReply
from rig.contract.names import split_app
from rig.contract.project import DeployConfig
from rig.contract.releases import Phase
from rig.kernel.apps import counts_of, wanted_now
from rig.kernel.disk import is_full
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ports import Recorded
from rig.node.builder.launch import process_commands
from rig.node.builder.model import Build, load_build
from rig.node.deploy.check import check
from rig.node.deploy.ports import Record, Secrets, Stores
from rig.node.deploy.restart import restart
from rig.node.deploy.routing import Routing, ports_of
from rig.node.deploy.steps import (
    Job,
    end_leftovers,
    instance_specs,
    job_of,
    provide_build,
    run_release_command,
)
from rig.node.paths import NodePaths
from rig.node.runtime.driver import Driver
from rig.node.runtime.removal import remove_tree
from rig.node.supervisor.instance import Instance
from rig.node.supervisor.model import InstanceSpec
from rig.node.supervisor.supervisor import Supervisor
from rig.node.world import World

log = logging.getLogger("rig.node.deploy")

RECORD_PAUSE = 2.0
"""Seconds between two tries to put the end of a release on the record."""


class Deployer:
    """Makes what runs agree with the world."""

    def __init__(
        self,
        world: World,
        paths: NodePaths,
        driver: Driver,
        supervisor: Supervisor,
        routing: Routing,
        stores: Stores,
        record: Record,
        secrets: Secrets,
    ) -> None:
        self._world = world
        self._paths = paths
        self._driver = driver
        self._supervisor = supervisor
        self._routing = routing
        self._stores = stores
        self._record = record
        self._secrets = secrets
        self._phases: dict[str, Phase] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._news: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    # -- what the API asks ------------------------------------------------------------------------------------------

    def instances(self, app: str) -> list[InstanceReply]:
        """The instances of an app as they are now."""
        return [info.reply() for info in self._supervisor.instances(app)]

    def running(self, app: str) -> set[int]:
        """The releases of which instances have not ended."""
        return self._supervisor.versions(app)

    def phase(self, app: str) -> Phase:
        """The phase of the release that is being made."""
        return self._phases.get(app, "queued")

    def news(self, app: str) -> asyncio.Event:
        """What is set by the next change of a phase, or fact, of the app. Take it first, then look, then wait."""
        return self._news.setdefault(app, asyncio.Event())

    # -- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take over what an earlier node left running, start what should run, go on with unfinished releases."""
        wanted: list[InstanceSpec] = []
        for app in self._world.existing_apps():
            try:
                serving = await self._serving(app)
                wanted += serving[1] if serving else []
            except RigError as error:
                log.error("%s cannot be started: %s", app, error.message)
        unwanted = await self._supervisor.adopt(wanted)
        failpoint("node.adopted")
        # Before they end: the edge may still send requests to what a switch that was cut off had started.
        await self._routing.apply(self._supervisor)
        failpoint("node.routed")
        # What has served may have streams that the node before gave time; of a deleted app nothing is to be left.
        draining = [one for one in unwanted if one.committed and self._world.exists(one.app)]
        kept = {one.id for one in draining}
        await self._end([one for one in unwanted if one.id not in kept])
        self._spawn(self._drain(draining, DeployConfig().drain))
        failpoint("node.ended")
        await asyncio.to_thread(self._remove_leftovers)
        for app in self._world.existing_apps():
            state = self._world.app(app)
            if state.pending:
                self._spawn(self._make(app, state.pending, self._world.begun[app], resumed=True))
            if state.restarting:
                self._spawn(self._restart(app, None))

    async def close(self) -> None:
        """Stop working. Releases that are being made are taken up again by the next node."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hear(self, record: Recorded) -> None:
        """Take up what a new fact asks for. Called on the event loop."""
        kind, _, name = record.stream.partition(":")
        if kind == "app":
            self._tell(name)
        match record.fact:
            case DeployStarted(version=version):
                self._phases[name] = "queued"
                self._spawn(self._make(name, version, record))
            case AppCreated() | AppCrashed():
                self._spawn(self._routing.refresh())
            case AppRestartRequested():
                self._spawn(self._restart(name, record))
            case AppScaled() | AppStarted() | AppStopped():
                self._spawn(self._scale(name))
            case AppDeleted():
                self._spawn(self._take_down(name))
            case NetworkDeleted():
                self._spawn(asyncio.to_thread(self._stores.clear_removed))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._closed:
            work.close()  # the next node finds in the world what there is to do
            return
        task = asyncio.create_task(guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def lock(self, app: str) -> asyncio.Lock:
        """Held while something is made of an app, or done to it."""
        return self._locks.setdefault(app, asyncio.Lock())

    def _tell(self, app: str) -> None:
        """Wake those who wait for news of the app."""
        if news := self._news.pop(app, None):
            news.set()

    def _enter(self, app: str, phase: Phase) -> None:
        self._phases[app] = phase
        self._tell(app)

    # -- releases ---------------------------------------------------------------------------------------------------

    async def _make(self, app: str, version: int, cause: Recorded, *, resumed: bool = False) -> None:
        """Make one release, from its build to the end of the old instances; record how it ended."""
        async with self.lock(app):
            launched: list[Instance] = []
            old = self._supervisor.committed(app)
            failpoint("release.heard")
            try:
                job = self._job(app, version)
                if resumed:
                    await end_leftovers(job, self._paths, self._driver)
                build = await self._build(job, cause)
                failpoint("release.built")
                self._enter(app, "releasing")
                await run_release_command(job, build, self._paths, self._driver)
                failpoint("release.commanded")
                self._enter(app, "starting")
                for spec in instance_specs(job, build, self._driver, counts_of(self._world.app(app), version)):
                    launched.append(await self._supervisor.launch(spec))
                self._enter(app, "checking")
                await check(launched, job.config.health, self._routing.hostname(app), job.mask)
                failpoint("release.healthy")
                self._enter(app, "switching")
                await self._switch(job, launched, old, cause)
            except Exception as raised:
                await self._end(launched)
                await self._fail(app, version, raised, cause)
                return
            finally:
                self._phases.pop(app, None)
            self._retire(old, job)

    def _job(self, app: str, version: int) -> Job:
        return job_of(self._paths, self._world.app(app), version, self._driver, self._secrets.reveal)

    async def _build(self, job: Job, cause: Recorded) -> Build:
        self._enter(job.app, "building")
        store = self._stores(split_app(job.app)[0])
        build, rebuilt = await provide_build(job, store, self._paths, self._driver)
        if not job.release.build:
            processes = process_commands(build, job.config)
            fact = DeployBuilt(app=job.app, version=job.version, build=build.id, rebuilt=rebuilt, processes=processes)
            await self._record(job.app, [fact], outcome="success", cause=cause)
        return build

    async def _switch(self, job: Job, launched: list[Instance], old: list[Instance], cause: Recorded) -> None:
        """Send the app's requests to the new instances and put it on the record; all of it, or none."""
        started = job.release.started
        facts: list[Fact] = [
            DeploySucceeded(app=job.app, version=job.version, bundle=started.bundle, url=self._routing.url(job.app))
        ]
        if started.rollback_of:
            facts.append(DeployRolledBack(app=job.app, version=job.version, restored=started.rollback_of))
        await self._routing.switch(job.app, ports_of(launched))
        try:
            failpoint("release.switched")
            for instance in launched:
                self._supervisor.commit(instance)
            failpoint("release.committed")
            await self._record(job.app, facts, outcome="success", cause=cause)
            failpoint("release.succeeded")
        except Exception:
            await self._routing.switch(job.app, ports_of(old))
            raise

    def _retire(self, instances: list[Instance], job: Job) -> None:
        """Let go of instances that get no new requests. What comes next need not wait for the last of the old ones."""
        for instance in instances:
            self._supervisor.retire(instance)
        self._spawn(self._drain(instances, job.config.deploy.drain))

    async def _drain(self, instances: list[Instance], seconds: int) -> None:
        """Let requests in flight end, at most so long, then end the instances."""
        ports = ports_of(instances)
        try:
            if ports and seconds:
                await self._routing.drained(ports, seconds)
        except Exception:
            log.exception("requests in flight cannot be counted; %s ends at once", instances[0].app)
        failpoint("release.drained")
        await self._end(instances)

    async def _end(self, instances: Sequence[Instance]) -> None:
        """End instances, each whatever becomes of the others."""
        ends = await asyncio.gather(*map(self._supervisor.end, instances), return_exceptions=True)
        for instance, raised in zip(instances, ends, strict=True):
            if raised is not None:
                log.error("%s %s could not be ended", instance.app, instance.name, exc_info=raised)

    async def _fail(self, app: str, version: int, raised: Exception, cause: Recorded) -> None:
        if isinstance(raised, RigError):
            error = raised
        elif is_full(raised):
            error = RigError("failed", "The node's disk takes nothing more.", "Make room on it, and deploy again.")
        else:
            log.error("making v%d of %s", version, app, exc_info=raised)
            error = RigError("internal", f"The node failed in a way it should not: {type(raised).__name__}.")
        fact = DeployFailed(
            app=app,
            version=version,
            code=error.code,
            reason=error.message,
            hint=error.hint,
            output=[str(line) for line in error.details.get("output", [])],
        )
        failpoint("release.failing")
        while True:
            try:
                await self._record(app, [fact], outcome="failure", cause=cause)
                failpoint("release.failed")
                return
            except RigError as refused:
                # Until it is there nobody can deploy to the app, so this is not given up.
                log.error("the end of v%d of %s cannot be recorded: %s", version, app, refused.message)
                if not refused.kind.retryable:
                    fact = msgspec.structs.replace(fact, output=[])  # all in it that is not of our own making
            await asyncio.sleep(RECORD_PAUSE)

    # -- scaling and taking down ------------------------------------------------------------------------------------

    async def _serving(self, app: str) -> tuple[Job, list[InstanceSpec]] | None:
        """The release that serves, if one does, and what should run of it now.

        Raises `RigError` where its configuration cannot be understood, or its build is gone or does not fit any more.
        """
        state = self._world.app(app)
        if not state.current:
            return None
        job = self._job(app, state.current)
        build = await asyncio.to_thread(load_build, job.paths)
        if build is None:
            raise RigError("failed", f"The build of v{state.current} is no longer there.", "Deploy it again.")
        return job, instance_specs(job, build, self._driver, wanted_now(state))

    async def _scale(self, app: str) -> None:
        async with self.lock(app):
            # It may have been deleted while this waited for its turn.
            serving = await self._serving(app) if self._world.exists(app) else None
            if serving is None:
                return
            job, specs = serving
            wanted = {spec.key for spec in specs}
            before = self._supervisor.committed(app)
            staying = [one for one in before if one.key in wanted and not one.crashed]
            leaving = [one for one in before if one.key not in wanted]
            if leaving:
                await self._routing.switch(app, ports_of(staying))
                self._retire(leaving, job)
            await self._supervisor.set_desired(app, specs)
            joining = [one for one in self._supervisor.committed(app) if one not in staying]
            try:
                # Where nothing serves, requests had better wait for what is coming.
                await check(joining if staying else (), job.config.health, self._routing.hostname(app))
            except RigError as error:
                log.warning("%s is scaled, and not all of it is ready: %s", app, error.message)
            await self._routing.switch(app, ports_of(self._supervisor.committed(app)))
        self._tell(app)

    async def _restart(self, app: str, cause: Recorded | None) -> None:
        async with self.lock(app):
            # It may have been deleted, stopped or deployed while this waited for its turn.
            serving = await self._serving(app) if self._world.apps[app].restarting else None
            if serving is None:
                return
            job, specs = serving
            old = self._supervisor.committed(app)
            fact = await restart(app, specs, job.config.health, self._supervisor, self._routing)
            done = isinstance(fact, AppRestarted)
            if done:
                self._retire(old, job)
            await self._record(app, [fact], outcome="success" if done else "failure", cause=cause)

    async def _take_down(self, app: str) -> None:
        async with self.lock(app):
            await self._routing.remove(app)
            await self._supervisor.stop_all(app)
            # Even where the name is taken again by now: a new app begins with nothing. Its releases wait for the lock.
            await asyncio.to_thread(remove_tree, self._paths.app(*split_app(app)))

    def _remove_leftovers(self) -> None:
        """Remove what a node that was killed left of deleted apps and networks, before their names are taken again."""
        apps, networks = set(self._world.existing_apps()), set(self._world.existing_networks())
        for folder in sorted(self._paths.root.glob("networks/*/apps/*")):
            if f"{folder.parts[-3]}/{folder.name}" not in apps:
                remove_tree(folder)
        for folder in sorted(self._paths.root.glob("networks/*")):
            if folder.name not in networks:
                self._stores.remove(folder.name)
        self._stores.clear_removed()


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
