"""One instance: a process of an app that keeps its name and port through all of its runs."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ids import uuid7
from rig.node.runtime.driver import Driver, ExitStatus, Handle, ProcessSpec
from rig.node.supervisor.model import InstanceInfo, InstanceRecord, InstanceSpec, State, save, time_of
from rig.node.supervisor.policy import Ended, Event, NotStarted, Policy, Restarts, Started, Unstartable, decide

_log = logging.getLogger("rig.node.supervisor")


class Instance:
    """Made by the supervisor. Its task is the only one that starts and stops runs; others ask it to."""

    def __init__(
        self,
        driver: Driver,
        record: InstanceRecord,
        spec: InstanceSpec | None,
        folder: Path,
        logs: Path,
        policy: Policy,
        changed: Callable[[Instance], None],
        begun: Callable[[Instance], None],
    ) -> None:
        """``changed`` is called on the event loop when its state changes, ``begun`` in a thread when a run begins."""
        self.record = record
        self.folder = folder
        self.logs = logs
        self._driver = driver
        self._spec = spec
        self._policy = policy
        self._changed = changed
        self._begun = begun
        self._restarts = Restarts(count=record.restarts)
        self._handle: Handle | None = None
        self._state: State = "starting"
        self._started_at = 0
        self._exit: ExitStatus | None = None
        self._last_exit = ""
        self.retired = False
        """Whether it is on its way out: it gets no new requests, and is not started again when it ends."""
        self._ending = asyncio.Event()
        self._committed = asyncio.Event()
        if record.committed:
            self._committed.set()
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def app(self) -> str:
        """``network/app``."""
        return self.record.app

    @property
    def key(self) -> tuple[str, int, str]:
        return self.record.key

    @property
    def name(self) -> str:
        """``web.1``."""
        return f"{self.record.process}.{self.record.index}"

    @property
    def port(self) -> int:
        """0 where it has none."""
        return self.record.port

    @property
    def committed(self) -> bool:
        return self.record.committed

    @property
    def crashed(self) -> bool:
        """Whether it was given up, and is not started again."""
        return self._state == "crashed"

    @property
    def log_dir(self) -> Path:
        """Of the current run, or of the last one."""
        return self.logs / self.record.run

    def pids(self) -> list[int]:
        """All processes of the current run, as the host sees them."""
        handle = self._handle  # once: it is asked from other threads, too
        return self._driver.pids(handle) if handle else []

    def exited(self) -> ExitStatus | None:
        """How the current run ended; None while it runs, and again as soon as it was restarted."""
        return self._exit

    def info(self) -> InstanceInfo:
        """How it is doing, as far as the supervisor knows."""
        return InstanceInfo(
            id=self.id,
            app=self.app,
            name=self.name,
            process=self.record.process,
            version=self.record.version,
            state=self._state,
            port=self.port,
            restarts=self._restarts.count,
            started_at=self._started_at,
            exit=self._last_exit,
            reason=self._restarts.reason,
        )

    def measured(self, seen: Callable[[Handle], list[int]]) -> InstanceInfo:
        """The same with what the system knows of its processes. ``seen`` is the driver's look at them."""
        running = self._handle if self._state in ("starting", "up", "stopping") else None
        pids = seen(running) if running else []
        return msgspec.structs.replace(self.info(), pid=pids[0] if pids else 0, memory=_resident(pids))

    def begin(self) -> None:
        """Start its first run."""
        self._live_on()

    def take_over(self) -> None:
        """Go on with the run that an earlier node started, whether it still runs or not."""
        self._handle = self._driver.adopt(self.folder / self.record.run) if self.record.run else None
        if self._handle is not None:
            self._started_at = time_of(self.record.run)
            self._note(Started())
            self._first.set_result(None)
            if self._driver.alive(self._handle):
                self._become("up" if self.committed else "starting")
        self._live_on()

    async def ready(self) -> None:
        """Return when the first run has begun. Raises `RigError` where it could not be started."""
        await asyncio.shield(self._first)

    def commit(self) -> None:
        self._save(msgspec.structs.replace(self.record, committed=True))
        failpoint("instance.committed")
        if self._state == "starting":
            self._become("up")
        self._committed.set()

    async def end(self) -> None:
        """End it for good; again is fine."""
        self._ending.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._handle is not None and self._driver.alive(self._handle):
            await self._driver.stop(self._handle)  # its task was let go, or failed
        failpoint("instance.ended")
        shutil.rmtree(self.folder, ignore_errors=True)

    async def let_go(self) -> None:
        """Stop looking after it; it goes on by itself."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _live_on(self) -> None:
        self._task = asyncio.create_task(self._live(), name=f"{self.app} {self.name}")
        self._task.add_done_callback(self._over_and_done)

    def _over_and_done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("%s %s is not looked after any more", self.app, self.name, exc_info=error)
        if not self._first.done():
            self._first.set_exception(error or RigError("interrupted", f"{self.name} was ended before it had started."))
            self._first.exception()  # seen: nobody may be waiting for it

    async def _live(self) -> None:
        """The instance's life, from its first run to its end."""
        if self._handle is None and (self.retired or not await self._start()):
            return
        while await self._one_run() and await self._pause() and await self._start():
            continue

    async def _one_run(self) -> bool:
        """See a run through; whether another one is to follow."""
        assert self._handle is not None
        handle = self._handle
        waiting = asyncio.ensure_future(self._driver.wait(handle))
        try:
            await self._first_of(waiting)
            if self._ending.is_set():
                self._become("stopping")
                self._over(await self._driver.stop(handle))
                self._become("exited")
                return False
            status = waiting.result()
        finally:
            waiting.cancel()
        self._over(status)
        if not self._committed.is_set():
            self._become("exited")
            committing = asyncio.ensure_future(self._committed.wait())
            try:
                await self._first_of(committing)
            finally:
                committing.cancel()
        if self._ending.is_set():
            return False
        if self.retired:
            self._become("exited")
            return False
        self._note(Ended(status))
        return True

    async def _start(self) -> bool:
        """Start a run, by policy until it succeeds; false where that has come to an end."""
        if self._spec is None:
            self._note(Unstartable("it ended, and how it is started could not be told when the node began"))
            return await self._pause()
        while not self._ending.is_set() and not self.retired:
            try:
                self._handle = await self._driver.start(self._next_run())
            except (RigError, OSError) as error:
                if not self._first.done():
                    self._first.set_exception(error)
                    self._first.exception()  # seen: nobody may be waiting for it
                self._last_exit = str(error)
                if not self._committed.is_set():
                    self._become("exited")
                    return False
                self._note(NotStarted(str(error)))
                if not await self._pause():
                    return False
                continue
            self._exit = None
            self._started_at = time_of(self.record.run)
            self._note(Started())
            if not self._first.done():
                self._first.set_result(None)
            self._become("up" if self.committed else "starting")
            await asyncio.to_thread(self._begun, self)
            return True
        return False

    async def _pause(self) -> bool:
        """Wait for the next start; false where none is to follow."""
        self._become(self._restarts.state)
        if self._restarts.state == "crashed":
            await self._ending.wait()
        else:
            try:
                async with asyncio.timeout(self._restarts.delay):
                    await self._ending.wait()
            except TimeoutError:
                return True
        return False

    async def _first_of(self, waiting: asyncio.Future[Any]) -> None:
        """Return when ``waiting`` is done, or the instance is to end."""
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait([waiting, ending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()

    def _next_run(self) -> ProcessSpec:
        """Describe the next run, on disk first: a node that dies after the start must leave what adoption needs."""
        spec = self._spec
        assert spec is not None
        before = self.record.run
        self._save(msgspec.structs.replace(self.record, run=uuid7(), restarts=self._restarts.count + bool(before)))
        failpoint("instance.described")
        if before:
            shutil.rmtree(self.folder / before, ignore_errors=True)
        return ProcessSpec(
            id=self.record.run,
            owner=spec.app,
            labels={"process": self.name, "version": str(spec.version)},
            argv=spec.argv,
            env=spec.env | ({"PORT": str(self.port)} if self.port else {}),
            secrets=spec.secrets,
            cwd=spec.cwd,
            mounts=spec.mounts,
            state_dir=self.folder / self.record.run,
            log_dir=self.log_dir,
            stop_timeout=spec.stop_timeout,
            memory=spec.memory,
        )

    def _over(self, status: ExitStatus) -> None:
        self._exit = status
        self._last_exit = str(status)

    def _note(self, event: Event) -> None:
        self._restarts = decide(self._restarts, event, time.monotonic(), self._policy)

    def _become(self, state: State) -> None:
        if state != self._state or state == "starting":
            self._state = state
            self._changed(self)

    def _save(self, record: InstanceRecord) -> None:
        save(self.folder, record)
        self.record = record


def _resident(pids: list[int]) -> int:
    """Resident bytes of these processes together; pages that they share count for each."""
    import psutil  # type: ignore[import-untyped]

    total = 0
    for pid in pids:
        try:
            total += psutil.Process(pid).memory_info().rss
        except psutil.Error:
            continue  # it ended while we were looking
    return total
