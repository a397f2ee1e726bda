"""Making one release: its build, its release command, its instances, the switch, and how it ended on the record.

The order of a switch: the new instances are healthy; the edge sends them the requests; ``deploy.succeeded`` is
recorded; the old instances drain and end. A node that is killed in between finds when it starts either a release that
is still being made, with the old one running, or one that succeeded, with old instances to end. So each step of a
release may be done again, its release command among them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import msgspec

from events.app import DeployBuilt, DeployFailed, DeployRolledBack, DeploySucceeded
from events.base import Fact
from rig.contract.names import split_app
from rig.contract.releases import Phase
from rig.kernel.apps import counts_of
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ports import Recorded
from rig.node.builder.launch import process_commands
from rig.node.builder.model import Build
from rig.node.deploy.check import check
from rig.node.deploy.ending import Ending
from rig.node.deploy.failures import failure_of
from rig.node.deploy.routing import ports_of
from rig.node.deploy.steps import (
    Job,
    end_leftovers,
    instance_specs,
    provide_build,
    run_release_command,
    take_over_build,
)
from rig.node.deploy.works import Works
from rig.node.deploy.workshop import Workshop
from rig.node.supervisor.instance import Instance

log = logging.getLogger("rig.node.deploy")

RECORD_PAUSE = 2.0
"""Seconds between two tries to put the end of a release on the record."""


class Maker:
    """Makes releases, one of an app at a time: whoever calls holds the lock of the app."""

    def __init__(self, workshop: Workshop, ending: Ending, works: Works, enter: Callable[[str, Phase], None]) -> None:
        """``enter`` is told which phase an app's release has come to."""
        self._workshop = workshop
        self._world, self._paths, self._record = workshop.world, workshop.paths, workshop.record
        self._supervisor, self._routing, self._driver = workshop.supervisor, workshop.routing, workshop.driver
        self._ending = ending
        self._works = works
        self._enter = enter

    async def make(self, app: str, version: int, cause: Recorded) -> None:
        """Make a release, from its build to the end of the old instances; record how it ended."""
        launched: list[Instance] = []
        old = self._supervisor.committed(app)
        failpoint("release.heard")
        try:
            job = self._workshop.job(app, version)
            build = await self._build(job, cause)
            failpoint("release.built")
            self._enter(app, "releasing")
            await run_release_command(job, build, self._paths, self._driver)
            failpoint("release.commanded")
            self._enter(app, "starting")
            for spec in instance_specs(job, build, self._driver, counts_of(self._world.app(app), version)):
                launched.append(await self._supervisor.launch(spec))
            self._enter(app, "checking")
            await check(launched, job.config.health, self._routing.hostname(app))
            failpoint("release.healthy")
            self._enter(app, "switching")
            await self._switch(job, launched, cause)
        except Exception as raised:  # whatever it is: a release without an end would keep its app locked for ever
            await self._ending.end(launched)
            await self._fail(app, version, raised, cause)
            return
        self._ending.retire(old, job.config.deploy.drain)

    async def end_leftovers(self, app: str, version: int) -> None:
        """End what still runs of a release that was cut off, before it waits for its turn."""
        try:
            await end_leftovers(self._workshop.job(app, version), self._paths, self._driver)
        except RigError as error:
            log.warning("v%d of %s: %s", version, app, error.message)  # the release itself fails with it

    async def _build(self, job: Job, cause: Recorded) -> Build:
        promoted = job.release.started.promoted
        if promoted or not job.paths.record.exists():
            self._enter(job.app, "building")
        if promoted:
            there = partial(self._has_release, promoted.app, promoted.version)
            return await take_over_build(job, promoted, self._paths, self._driver, there)
        store = self._workshop.stores(split_app(job.app)[0])
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

    async def _switch(self, job: Job, launched: list[Instance], cause: Recorded) -> None:
        """Send the app's requests to the new instances and put it on the record; all of it, or none."""
        started = job.release.started
        facts: list[Fact] = [
            DeploySucceeded(app=job.app, version=job.version, bundle=started.bundle, url=self._routing.url(job.app))
        ]
        if started.rollback_of:
            facts.append(DeployRolledBack(app=job.app, version=job.version, restored=started.rollback_of))
        async with self._routing.switched(job.app, ports_of(launched)):
            failpoint("release.switched")
            for instance in launched:
                self._supervisor.commit(instance)
            failpoint("release.committed")
            await self._record(job.app, facts, outcome="success", cause=cause)
            failpoint("release.succeeded")
            self._works.note(job.app, None)

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
