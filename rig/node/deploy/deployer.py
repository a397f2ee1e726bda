"""From facts to what they ask for: releases are made, apps scaled and taken down.

The deployer hears of every fact that the node records, and works on one thing at a time for each app. It decides
nothing: what should be is in the world, and after a crash it goes on from there.

How a release is made is told in `rig.node.deploy.making`, what else is done in `rig.node.deploy.operations`.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from weakref import WeakValueDictionary

from events.app import (
    AppCrashed,
    AppCreated,
    AppDeleted,
    AppRestartRequested,
    AppScaled,
    AppScaleReset,
    AppStarted,
    AppStopped,
    DeployStarted,
)
from events.network import NetworkDeleted
from rig.contract.apps import Instance as InstanceReply
from rig.contract.node import RELEASES_AT_ONCE
from rig.contract.project import DeployConfig
from rig.contract.releases import Phase
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ports import Recorded
from rig.node.background import Background
from rig.node.collect.gone import Freeing, put_away_gone
from rig.node.deploy.ending import Ending
from rig.node.deploy.making import Maker
from rig.node.deploy.operations import Operations
from rig.node.deploy.turns import Turns
from rig.node.deploy.works import What, Work, Works
from rig.node.deploy.workshop import Workshop
from rig.node.supervisor.model import InstanceSpec

log = logging.getLogger("rig.node.deploy")


class Deployer:
    """Makes what runs agree with the world."""

    def __init__(self, workshop: Workshop, releases: int = RELEASES_AT_ONCE) -> None:
        """``releases``: how many are made at once."""
        self._workshop = workshop
        self._world, self._supervisor, self._routing = workshop.world, workshop.supervisor, workshop.routing
        self._phases: dict[str, Phase] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Those that somebody has, or waits for."""
        self._background = Background()
        self._news: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self._turns = Turns(releases)
        self._works = Works(self._tell)
        self._free = Freeing(workshop.paths)
        self._ending = Ending(workshop.supervisor, workshop.routing, self._background.spawn)
        self._maker = Maker(workshop, self._ending, self._works, self._enter)
        self._operations = Operations(workshop, self._ending, self._works, self._free, self.lock)

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
                serving = await self._workshop.serving(app)
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
        self._background.spawn(self._ending.drain(draining, DeployConfig().drain))
        failpoint("node.ended")
        await asyncio.to_thread(put_away_gone, self._workshop.paths, self._world, self._workshop.stores)
        self._background.spawn(self._free())
        states = [self._world.app(app) for app in self._world.existing_apps()]
        pending = [(self._world.begun[state.name], state) for state in states if state.pending]
        for begun, state in sorted(pending, key=lambda each: each[0].pos):  # each in its turn, as before
            self._background.spawn(self._make(state.name, state.pending, begun, resumed=True))
        for state in states:
            if state.restarting:
                self._work(state.name, "restarting", partial(self._operations.restart, state.name, None))

    async def close(self) -> None:
        """Stop working. Releases that are being made are taken up again by the next node."""
        self._free.stop()
        await self._background.close()

    def hear(self, record: Recorded) -> None:
        """Take up what a new fact asks for. Called on the event loop. After :meth:`close` it is left to the next node,
        which finds in the world what there is to do."""
        kind, _, name = record.stream.partition(":")
        if kind == "app":
            self._tell(name)
        match record.fact:
            case DeployStarted(version=version):
                self._phases[name] = "queued"
                self._background.spawn(self._make(name, version, record))
            case AppCreated() | AppCrashed():
                self._background.spawn(self._routing.refresh())
            case AppRestartRequested():
                self._work(name, "restarting", partial(self._operations.restart, name, record))
            case AppScaled() | AppScaleReset():
                self._work(name, "scaling", partial(self._operations.scale, name))
            case AppStarted():
                self._work(name, "starting", partial(self._operations.scale, name))
            case AppStopped():
                self._work(name, "stopping", partial(self._operations.scale, name))
            case AppDeleted():
                self._background.spawn(self._operations.take_down(name))
            case NetworkDeleted():
                self._background.spawn(self._free())

    def _work(self, app: str, what: What, work: Work) -> None:
        self._background.spawn(self._works.begin(app, what, work))

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

    async def _make(self, app: str, version: int, cause: Recorded, *, resumed: bool = False) -> None:
        """Make one release, when its turn has come."""
        if resumed:
            await self._maker.end_leftovers(app, version)
        # Those that one command asked for take their turns as one group.
        async with self.lock(app), self._turns.turn(cause.corr or cause.id):
            try:
                await self._maker.make(app, version, cause)
            finally:
                self._phases.pop(app, None)
