"""Carries out what was planned.

Each app is looked at under its lock, so that nothing is made of it meanwhile, and what goes is moved away in the writer
thread, so that nothing is decided meanwhile: no release begins that counts on it. Only then it is measured and removed,
which takes its time. The slow work is done in threads that stand back for everything else.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from events.app import AppState
from rig.contract.collect import Collection, Garbage
from rig.kernel.errors import RigError
from rig.node.bundles import collect as sources
from rig.node.bundles.marks import Stopped
from rig.node.bundles.stores import Stores
from rig.node.collect import caches
from rig.node.collect.disposal import measure, move_away
from rig.node.collect.model import Found, Retention, Verdict
from rig.node.collect.plan import gone_access, gone_app, gone_network, kept_bundles, plan_app
from rig.node.collect.report import of_store, of_verdict, total
from rig.node.collect.survey import access_logs, apps_on_disk, empty_networks, survey_app
from rig.node.deploy.keys import lent_builds, pending_build
from rig.node.paths import NodePaths
from rig.node.runtime.driver import IsolationName
from rig.node.runtime.removal import free
from rig.node.world import World

T = TypeVar("T")

MEASURE_SECONDS = 15.0
"""For which what goes is measured: whoever asked waits for it."""
NICENESS = 15

log = logging.getLogger("rig.node.collect")

Placed = tuple[Verdict, Path]
"""What goes, and where it lies now."""


class Apps(Protocol):
    """What runs of the apps, and who is at work on them."""

    def lock(self, app: str) -> asyncio.Lock:
        """Held while something is done to an app."""
        ...

    def running(self, app: str) -> set[int]:
        """The releases of which instances have not ended."""
        ...


class Writer(Protocol):
    """The thread in which the node decides."""

    async def run(self, work: Callable[[], T]) -> T: ...


class _Run(msgspec.Struct):
    """One collection on its way."""

    retention: Retention
    now: int
    dry_run: bool
    going: list[Placed] = []
    kept: list[Verdict] = []
    skipped: list[str] = []


class Collector:
    """Use it from the node's event loop."""

    def __init__(
        self, world: World, paths: NodePaths, stores: Stores, apps: Apps, writer: Writer, isolation: IsolationName
    ) -> None:
        self._world = world
        self._paths = paths
        self._stores = stores
        self._apps = apps
        self._writer = writer
        self._isolation = isolation
        self._loop = asyncio.get_running_loop()
        self._busy = asyncio.Lock()
        self._stop = threading.Event()
        self._working = ThreadPoolExecutor(1, thread_name_prefix="collector", initializer=_stand_back)
        # Another one, so that who asks next need not wait until the disk is free.
        self._freeing = ThreadPoolExecutor(1, thread_name_prefix="freeing", initializer=_stand_back)

    async def collect(self, retention: Retention, *, dry_run: bool = False) -> Collection:
        """Look for garbage, and remove it unless this is a dry run.

        What was found is out of the way when this returns; the disk is freed in the background. Raises `RigError`
        ``locked`` where a collection is under way, ``interrupted`` where the node ends meanwhile.
        """
        if self._busy.locked():
            raise RigError("locked", "The node is collecting garbage already.", "Try again when it is done.")
        async with self._busy:
            try:
                return await self._collect(_Run(retention, int(time.time()), dry_run))
            except Stopped:
                raise RigError(
                    "interrupted", "The node ended before all was collected.", "What is left goes the next time."
                ) from None

    def collect_now(self, retention: Retention, *, dry_run: bool = False) -> Collection:
        """The same for a thread that may block; not for the event loop, nor for the writer."""
        return asyncio.run_coroutine_threadsafe(self.collect(retention, dry_run=dry_run), self._loop).result()

    async def close(self) -> None:
        """Stop at the next step; what is left goes with a later collection."""
        self._stop.set()
        async with self._busy:
            await asyncio.to_thread(self._working.shutdown)
        await asyncio.to_thread(self._freeing.shutdown)

    async def _collect(self, run: _Run) -> Collection:
        on_disk = await self._in_thread(lambda: apps_on_disk(self._paths))
        for app in sorted({*on_disk, *self._world.existing_apps()}):
            try:
                await self._unless_busy(app, run)
            except OSError as error:
                log.error("the garbage of %s cannot be collected: %s", app, error)
        for found in await self._in_thread(lambda: empty_networks(self._paths)):
            await self._writer.run(partial(self._network, found, run))
        existing = set(self._world.existing_apps())
        logs = await self._in_thread(lambda: access_logs(self._paths, existing))
        await self._writer.run(partial(self._access, logs, run))
        garbage = await self._measured(run.going)
        if not run.dry_run:
            self._freeing.submit(free, self._paths.removed, self._stop.is_set)
        for network in self._world.existing_networks():
            garbage += await self._sources(network, run)
        return Collection(
            dry_run=run.dry_run,
            bytes=total(garbage),
            garbage=garbage,
            kept=[of_verdict(verdict) for verdict in run.kept] if run.dry_run else [],
            skipped=run.skipped,
        )

    async def _unless_busy(self, app: str, run: _Run) -> None:
        if run.dry_run:
            await self._app(app, run)
        elif self._apps.lock(app).locked():
            run.skipped.append(app)
        else:
            async with self._apps.lock(app):
                await self._app(app, run)

    async def _app(self, app: str, run: _Run) -> None:
        """Under the app's lock, unless this is a dry run: plan, and get out of the way what goes."""
        found = await self._in_thread(lambda: survey_app(self._paths, app))
        running = self._apps.running(app)
        verdicts = await self._writer.run(lambda: self._decide(app, found, running, run))
        for verdict in verdicts:
            if verdict.downloads and not run.dry_run:
                await self._in_thread(partial(caches.remove, verdict.found.path, verdict.downloads))

    # -- in the writer thread ---------------------------------------------------------------------------------------

    def _decide(self, app: str, found: Sequence[Found], running: set[int], run: _Run) -> list[Verdict]:
        state = self._world.apps.get(app, AppState())
        if state.exists:
            making = pending_build(state, self._isolation)
            lent = lent_builds(self._world.being_made(), app)
            verdicts = plan_app(state, found, run.retention, run.now, making=making, lent=lent, running=running)
        elif running:
            verdicts = []  # it is being taken down
        else:
            verdicts = [gone_app(app, self._paths.app(app))]
        self._carry_out(verdicts, run)
        return verdicts

    def _network(self, found: Found, run: _Run) -> None:
        network = found.app
        if self._world.network_exists(network):
            return
        verdict = gone_network(found, run.retention, run.now)
        if verdict.goes and not run.dry_run:
            self._stores.remove(network)
        self._carry_out([verdict], run)

    def _access(self, found: Sequence[Found], run: _Run) -> None:
        # One that was made since then has another log.
        self._carry_out([gone_access(each) for each in found if not self._world.exists(each.app)], run)

    def _carry_out(self, verdicts: Sequence[Verdict], run: _Run) -> None:
        run.kept += [verdict for verdict in verdicts if not verdict.goes]
        in_part = [verdict for verdict in verdicts if verdict.downloads]
        whole = [verdict for verdict in verdicts if verdict.goes and not verdict.downloads]
        run.going += [(verdict, verdict.found.path) for verdict in in_part]
        run.going += [(each, each.found.path) for each in whole] if run.dry_run else move_away(self._paths, whole)

    # -- what takes its time ----------------------------------------------------------------------------------------

    async def _sources(self, network: str, run: _Run) -> list[Garbage]:
        bundles: set[str] = set()
        for app in self._world.apps_of(network):
            bundles |= kept_bundles(self._world.app(app), run.retention.keep)
        store = await self._in_thread(lambda: self._stores(network))
        grace = max(sources.GRACE, run.retention.older_than)
        try:
            swept = await self._in_thread(
                lambda: sources.collect(store, bundles, grace=grace, dry_run=run.dry_run, stop=self._stop.is_set)
            )
        except sqlite3.ProgrammingError:
            if self._world.network_exists(network):
                raise
            return []  # it was deleted meanwhile, and its store closed
        return of_store(network, swept)

    async def _measured(self, going: Sequence[Placed]) -> list[Garbage]:
        places = [place for verdict, place in going if not verdict.downloads]
        sizes = await self._in_thread(lambda: measure(places, MEASURE_SECONDS, self._stop.is_set))
        return [of_verdict(verdict, sizes.get(place, 0)) for verdict, place in going]

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._stop.is_set():
            raise Stopped
        return await self._loop.run_in_executor(self._working, work)


def _stand_back() -> None:
    """Let everything else on the machine go first. On Linux a thread, and what it starts, can do so by itself."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
