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
from collections.abc import Coroutine
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from events.app import (
    AppCrashed,
    AppCreated,
    AppDeleted,
    AppRestarted,
    AppRestartFailed,
    AppRestartRequested,
    AppScaled,
    AppScaleReset,
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
from rig.contract.node import RELEASES_AT_ONCE
from rig.contract.project import DeployConfig
from rig.contract.releases import Phase
from rig.kernel.apps import counts_of, wanted_now
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ports import Recorded
from rig.node.builder.launch import process_commands
from rig.node.builder.model import Build, load_build
from rig.node.collect.gone import Freeing, put_away_app, put_away_gone
from rig.node.deploy.check import check
from rig.node.deploy.ending import Ending
from rig.node.deploy.failures import failure_of
from rig.node.deploy.ports import Record, Secrets, Stores
from rig.node.deploy.restart import restart
from rig.node.deploy.routing import Routing, ports_of
from rig.node.deploy.steps import (
    Job,
    drain_of,
    end_leftovers,
    instance_specs,
    job_of,
    provide_build,
    run_release_command,
    take_over_build,
)
from rig.node.deploy.turns import Turns
from rig.node.deploy.works import What, Work, Works
from rig.node.paths import NodePaths
from rig.node.runtime.driver import Driver
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
        releases: int = RELEASES_AT_ONCE,
    ) -> None:
        """``releases``: how many are made at once."""
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
        self._ending = Ending(supervisor, routing, self._spawn)
        self._turns = Turns(releases)
        self._works = Works(self._tell)
        self._free = Freeing(paths)
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

    def waiting(self) -> int:
        """How many releases wait until fewer are being made."""
        return self._turns.waiting

    def working(self, app: str) -> str:
        """What is being done to an app besides a release: ``restarting``, say; empty for nothing."""
        return self._works.doing(app)

    def problem(self, app: str) -> RigError | None:
        """Why what was done to an app last, or its start with the node, did not come off."""
        return self._works.problem(app)

    def news(self, app: str) -> asyncio.Event:
        """What is set by the next change of a phase, or fact, of the app. Take it first, then look, then wait."""
        return self._news.setdefault(app, asyncio.Event())

    # -- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take over what an earlier node left running, start what should run, go on with unfinished releases."""
        wanted: list[InstanceSpec] = []
        spared: set[tuple[str, int]] = set()
        for app in self._world.existing_apps():
            try:
                serving = await self._serving(app)
                wanted += serving[1] if serving else []
            except RigError as error:
                log.error("%s cannot be started: %s", app, error.message)
                self._works.note(app, error)
                if error.code != "conflict":  # what runs without the isolation that is in force now does not go on
                    spared.add((app, self._world.app(app).current))
        unwanted = await self._supervisor.adopt(wanted, spared)
        failpoint("node.adopted")
        # Before they end: the edge may still send requests to what a switch that was cut off had started.
        await self._routing.apply(self._supervisor)
        failpoint("node.routed")
        # What has served may have streams that the node before gave time; of a deleted app nothing is to be left.
        draining = [one for one in unwanted if one.committed and self._world.exists(one.app)]
        kept = {one.id for one in draining}
        await self._ending.end([one for one in unwanted if one.id not in kept])
        self._spawn(self._ending.drain(draining, DeployConfig().drain))
        failpoint("node.ended")
        await asyncio.to_thread(put_away_gone, self._paths, self._world, self._stores)
        self._spawn(self._free())
        states = [self._world.app(app) for app in self._world.existing_apps()]
        pending = [(self._world.begun[state.name], state) for state in states if state.pending]
        for begun, state in sorted(pending, key=lambda each: each[0].pos):  # each in its turn, as before
            self._spawn(self._make(state.name, state.pending, begun, resumed=True))
        for state in states:
            if state.restarting:
                self._work(state.name, "restarting", partial(self._restart, state.name, None))

    async def close(self) -> None:
        """Stop working. Releases that are being made are taken up again by the next node."""
        self._closed = True
        self._free.stop()
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
                self._work(name, "restarting", partial(self._restart, name, record))
            case AppScaled() | AppScaleReset():
                self._work(name, "scaling", partial(self._scale, name))
            case AppStarted():
                self._work(name, "starting", partial(self._scale, name))
            case AppStopped():
                self._work(name, "stopping", partial(self._scale, name))
            case AppDeleted():
                self._spawn(self._take_down(name))
            case NetworkDeleted():
                self._spawn(self._free())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        if self._closed:
            work.close()  # the next node finds in the world what there is to do
            return None
        task = asyncio.create_task(guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # one that was cancelled before it began
        return task

    def _work(self, app: str, what: What, work: Work) -> None:
        self._spawn(self._works.begin(app, what, work))

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
        if resumed:
            await self._end_leftovers(app, version)
        # Those that one command asked for take their turns as one group.
        async with self.lock(app), self._turns.turn(cause.corr or cause.id):
            launched: list[Instance] = []
            old = self._supervisor.committed(app)
            failpoint("release.heard")
            try:
                job = self._job(app, version)
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
                await self._ending.end(launched)
                await self._fail(app, version, raised, cause)
                return
            finally:
                self._phases.pop(app, None)
            self._ending.retire(old, job.config.deploy.drain)

    async def _end_leftovers(self, app: str, version: int) -> None:
        """End what still runs of a release that was cut off, before it waits for its turn."""
        try:
            await end_leftovers(self._job(app, version), self._paths, self._driver)
        except RigError as error:
            log.warning("v%d of %s: %s", version, app, error.message)  # the release itself fails with it

    def _job(self, app: str, version: int) -> Job:
        return job_of(self._paths, self._world.app(app), version, self._driver, self._secrets.reveal)

    async def _build(self, job: Job, cause: Recorded) -> Build:
        promoted = job.release.started.promoted
        if promoted or not job.paths.record.exists():
            self._enter(job.app, "building")
        if promoted:
            there = partial(self._has_release, promoted.app, promoted.version)
            return await take_over_build(job, promoted, self._paths, self._driver, there)
        store = self._stores(split_app(job.app)[0])
        build, rebuilt = await provide_build(job, store, self._paths, self._driver)
        if not job.release.build:
            processes = process_commands(build, job.config)
            fact = DeployBuilt(app=job.app, version=job.version, build=build.id, rebuilt=rebuilt, processes=processes)
            await self._record(job.app, [fact], outcome="success", cause=cause)
        return build

    def _has_release(self, app: str, version: int) -> bool:
        """Whether an app was not deleted since it made this release: numbers of releases are not given again."""
        state = self._world.apps.get(app)
        return state is not None and version in state.releases

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
            self._works.note(job.app, None)
        except Exception:
            await self._routing.switch(job.app, ports_of(old))
            raise

    async def _fail(self, app: str, version: int, raised: Exception, cause: Recorded) -> None:
        error = failure_of(raised, f"making v{version} of {app}", "deploy again", self._paths.root)
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
        """The release that serves and what should run of it now, if anything should.

        Raises `RigError` where its configuration cannot be understood, or its build is gone or does not fit any more.
        """
        state = self._world.app(app)
        if not state.current or not any(wanted_now(state).values()):
            return None
        job = self._job(app, state.current)
        build = await asyncio.to_thread(load_build, job.paths)
        if build is None:
            raise RigError("failed", f"The build of v{state.current} is no longer there.", "Deploy it again.")
        return job, instance_specs(job, build, self._driver, wanted_now(state))

    async def _scale(self, app: str) -> RigError | None:
        """Make what runs of an app agree with the world; gives why not all of it is ready, if it is not."""
        problem: RigError | None = None
        async with self.lock(app):
            # It may have been deleted while this waited for its turn.
            serving = await self._serving(app) if self._world.exists(app) else None
            specs = serving[1] if serving else []
            wanted = {spec.key for spec in specs}
            before = self._supervisor.committed(app)
            staying = [one for one in before if one.key in wanted and not one.crashed]
            leaving = [one for one in before if one.key not in wanted]
            ending = None
            failpoint("scale.heard")
            if leaving:
                await self._routing.switch(app, ports_of(staying))
                failpoint("scale.left")
                ending = self._ending.retire(leaving, drain_of(self._world.apps[app]))
            await self._supervisor.set_desired(app, specs)
            failpoint("scale.started")
            joining = [one for one in self._supervisor.committed(app) if one not in staying]
            if serving and staying:
                problem = await self._unready(joining, serving[0])
            if self._world.exists(app):
                await self._routing.switch(app, ports_of(self._supervisor.committed(app)))
            failpoint("scale.switched")
        if serving and not staying:
            # Where nothing serves, requests had better wait for what is coming; and others for their turn need not.
            problem = await self._unready(joining, serving[0])
        if ending is not None:
            await asyncio.wait([ending])
        return problem

    async def _unready(self, instances: list[Instance], job: Job) -> RigError | None:
        """Wait until instances are ready; gives why one is not."""
        try:
            await check(instances, job.config.health, self._routing.hostname(job.app), job.mask)
        except RigError as error:
            log.warning("not all of %s is ready: %s", job.app, error.message)
            return error
        return None

    async def _restart(self, app: str, cause: Recorded | None) -> RigError | None:
        """Replace the instances of an app; gives why that failed, if it did."""
        async with self.lock(app):
            if not self._world.apps[app].restarting:
                return None  # it was deleted, stopped or deployed while this waited for its turn
            problem: RigError | None = None
            fact: Fact = AppRestarted(name=app)
            failpoint("restart.heard")
            try:
                serving = await self._serving(app)
                if serving is not None:
                    job, specs = serving
                    old = self._supervisor.committed(app)
                    await restart(job, specs, self._supervisor, self._routing)
                    self._ending.retire(old, job.config.deploy.drain)
            except Exception as raised:
                problem = failure_of(raised, f"restarting {app}", "try again", self._paths.root)
                fact = AppRestartFailed(name=app, code=problem.code, reason=problem.message)
            failpoint("restart.done")
            await self._record(app, [fact], outcome="failure" if problem else "success", cause=cause)
            failpoint("restart.recorded")
            return problem

    async def _take_down(self, app: str) -> None:
        async with self.lock(app):
            self._works.note(app, None)
            failpoint("removal.heard")
            try:
                await self._routing.remove(app)
            except RigError as error:
                # The next change of any route takes it out. Its processes end all the same.
                log.error("%s is deleted, and still has its address: %s", app, error.message)
            failpoint("removal.unrouted")
            await self._supervisor.stop_all(app)
            failpoint("removal.ended")
            # Even where the name is taken again by now: a new app begins with nothing. Its releases wait for the lock.
            await asyncio.to_thread(put_away_app, self._paths, app)
            failpoint("removal.cleared")
        await self._free()


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
