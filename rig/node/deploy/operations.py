"""What is done to an app besides releases: it is scaled, started, stopped, restarted, and taken down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from events.app import AppRestarted, AppRestartFailed
from events.base import Fact
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ports import Recorded
from rig.node.collect.gone import Freeing, put_away_app
from rig.node.deploy.check import check
from rig.node.deploy.ending import Ending
from rig.node.deploy.failures import failure_of
from rig.node.deploy.routing import ports_of
from rig.node.deploy.steps import Job, drain_of
from rig.node.deploy.works import Works
from rig.node.deploy.workshop import Workshop
from rig.node.supervisor.instance import Instance
from rig.node.supervisor.model import InstanceSpec

log = logging.getLogger("rig.node.deploy")


class Operations:
    """Makes what runs of an app agree with the world, each thing when the one before it is done."""

    def __init__(
        self, workshop: Workshop, ending: Ending, works: Works, free: Freeing, lock: Callable[[str], asyncio.Lock]
    ) -> None:
        """``lock`` gives the lock of an app, which is held while something is done to it."""
        self._workshop = workshop
        self._world, self._paths, self._record = workshop.world, workshop.paths, workshop.record
        self._supervisor, self._routing = workshop.supervisor, workshop.routing
        self._ending = ending
        self._works = works
        self._free = free
        self._lock = lock

    async def scale(self, app: str) -> RigError | None:
        """Make what runs of an app agree with the world; gives why not all of it is ready, if it is not."""
        problem: RigError | None = None
        async with self._lock(app):
            # It may have been deleted while this waited for its turn.
            serving = await self._workshop.serving(app) if self._world.exists(app) else None
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
            await check(instances, job.config.health, self._routing.hostname(job.app))
        except RigError as error:
            log.warning("not all of %s is ready: %s", job.app, error.message)
            return error
        return None

    async def restart(self, app: str, cause: Recorded | None) -> RigError | None:
        """Replace the instances of an app; gives why that failed, if it did."""
        async with self._lock(app):
            if not self._world.apps[app].restarting:
                return None  # it was deleted, stopped or deployed while this waited for its turn
            problem: RigError | None = None
            fact: Fact = AppRestarted(name=app)
            failpoint("restart.heard")
            try:
                serving = await self._workshop.serving(app)
                if serving is not None:
                    job, specs = serving
                    old = self._supervisor.committed(app)
                    await self._replace(job, specs)
                    self._ending.retire(old, job.config.deploy.drain)
            except Exception as raised:  # whatever it is: a restart without an end would be done anew by every node
                problem = failure_of(raised, f"restarting {app}", "try again", self._paths.root)
                fact = AppRestartFailed(name=app, code=problem.code, reason=problem.message)
            failpoint("restart.done")
            await self._record(app, [fact], outcome="failure" if problem else "success", cause=cause)
            failpoint("restart.recorded")
            return problem

    async def _replace(self, job: Job, specs: list[InstanceSpec]) -> None:
        """Start new instances, wait until they are healthy, and send the requests to them; all of it, or none.

        What served before is for the caller to let go of. Raises whatever went wrong; nothing is left of the new ones
        then.
        """
        launched: list[Instance] = []
        try:
            for spec in specs:
                launched.append(await self._supervisor.launch(spec))
            await check(launched, job.config.health, self._routing.hostname(job.app))
            async with self._routing.switched(job.app, ports_of(launched)):
                failpoint("restart.switched")
                for instance in launched:
                    self._supervisor.commit(instance)
        except Exception:
            await self._ending.end(launched)
            raise

    async def take_down(self, app: str) -> None:
        """Serve a deleted app no more, end what runs of it, and put away what it has stored."""
        async with self._lock(app):
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
