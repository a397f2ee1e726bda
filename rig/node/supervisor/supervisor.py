"""Runs instances and keeps them running. Each has one task, which alone starts, watches, restarts and ends it."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path

from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ids import uuid7
from rig.node.logs.retention import prune
from rig.node.paths import NodePaths
from rig.node.runtime.driver import Driver, Handle
from rig.node.supervisor.instance import Instance
from rig.node.supervisor.model import InstanceInfo, InstanceRecord, InstanceSpec, load
from rig.node.supervisor.policy import Policy
from rig.node.supervisor.ports import Ports

OnChange = Callable[[str, InstanceInfo], None]
"""Called with the app and the instance whenever an instance changes its state; on the event loop, so it must not
block. What it raises is logged, and changes nothing."""

_log = logging.getLogger("rig.node.supervisor")


class Supervisor:
    """All instances of a node. Use it from one event loop, after :meth:`adopt`."""

    def __init__(
        self,
        driver: Driver,
        paths: NodePaths,
        *,
        on_change: OnChange | None = None,
        policy: Policy | None = None,
        ports: Ports | None = None,
    ) -> None:
        self._driver = driver
        self._paths = paths
        self._on_change = on_change
        self._policy = policy or Policy()
        self._ports = ports or Ports()
        self._instances: dict[str, dict[str, Instance]] = {}
        """By app and id."""
        self._lock = -1

    async def adopt(
        self, desired: Iterable[InstanceSpec] = (), spared: Container[tuple[str, int]] = ()
    ) -> list[Instance]:
        """Begin: make what runs agree with ``desired``.

        What an earlier node started, still runs, and is wanted, is taken over as it is; what has died is started
        again. Of two that are the same, as after a restart that was just done, the newer one is meant. ``spared`` are
        the apps, with their release, of which nobody can tell what is desired: what runs of them goes on, and is given
        up when it ends. Gives what is not wanted: it is retired, and to be ended when no requests are sent there any
        more.
        Raises `RigError` ``locked`` where another node has these instances.
        """
        self._take_lock()
        wanted = {spec.key: spec for spec in desired}
        unwanted: list[Instance] = []
        found: list[tuple[InstanceRecord, Path]] = []
        for folder in self._paths.networks.glob("*/apps/*/run/*"):
            if record := load(folder):
                found.append((record, folder))
            else:
                await self._clear(folder)
        for record, folder in sorted(found, key=lambda each: each[0].created_at, reverse=True):
            spec = wanted.pop(record.key, None) if record.committed else None
            instance = self._instance(record, folder, spec)
            if record.port:
                self._ports.reserve(record.port)
            if spec is None and not (record.committed and (record.app, record.version) in spared):
                self.retire(instance)
                unwanted.append(instance)
            instance.take_over()
        for spec in wanted.values():
            self._create(spec, committed=True).begin()
        return unwanted

    async def launch(self, spec: InstanceSpec) -> Instance:
        """Start an instance, and return when its program runs.

        It is not restarted, and a node that is started anew ends it, until :meth:`commit` says that it is to stay.
        Raises `RigError` where it cannot be started; nothing is left of it then.
        """
        instance = self._create(spec, committed=False)
        instance.begin()
        try:
            await instance.ready()
        except BaseException:
            await asyncio.shield(self.end(instance))
            raise
        failpoint("instance.launched")
        return instance

    def commit(self, instance: Instance) -> None:
        """It is to stay: from now on it is restarted when it ends, and taken over by the next node."""
        instance.commit()

    async def end(self, instance: Instance) -> None:
        """SIGTERM, then SIGKILL after its stop timeout; returns when nothing of it is left. Again is fine."""
        await instance.end()
        those = self._instances.get(instance.app, {})
        if those.pop(instance.id, None) is not None:
            self._ports.release(instance.port)
            if not those:
                del self._instances[instance.app]

    def retire(self, instance: Instance) -> None:
        """It gets no new requests any more. Whoever says so ends it, once those that it has are done."""
        instance.retired = True

    async def set_desired(self, app: str, specs: Sequence[InstanceSpec]) -> None:
        """Make the committed instances of ``app`` be exactly ``specs``: for scaling, stopping (none), starting.

        Those that are there already are left alone. New ones are restarted by policy at once; a deployment, which
        checks first, takes :meth:`launch`. An instance that was given up as ``crashed`` is started anew.
        """
        wanted = {spec.key: spec for spec in specs}
        surplus = []
        for instance in self.committed(app):
            if instance.key not in wanted or instance.crashed:
                surplus.append(instance)
            else:
                del wanted[instance.key]
        await asyncio.gather(*(self.end(instance) for instance in surplus))
        started = [self._create(spec, committed=True) for spec in wanted.values()]
        for instance in started:
            instance.begin()

    def instances(self, app: str = "") -> list[InstanceInfo]:
        """The instances of ``app``, or all, by version and name, as the system sees them.

        To be asked takes it a moment: for a thread that may block.
        """
        found = self._of(app)
        found.sort(key=lambda one: (one.app, one.record.version, one.record.process, one.record.index))
        seen = self._driver.look() if found else _nothing
        return [one.measured(seen) for one in found]

    def committed(self, app: str) -> list[Instance]:
        """The instances of ``app`` that are to stay, such as those of the release that serves."""
        return [one for one in self._of(app) if one.committed and not one.retired]

    def versions(self, app: str) -> set[int]:
        """The releases of ``app`` of which instances are there, whatever they are doing."""
        return {one.record.version for one in self._of(app)}

    async def stop_all(self, app: str = "") -> None:
        """End every instance of ``app``, or of every app."""
        await asyncio.gather(*(self.end(instance) for instance in self._of(app)))

    async def close(self) -> None:
        """Stop watching. What runs goes on; the next node adopts it."""
        await asyncio.gather(*(instance.let_go() for instance in self._of()))
        self._instances.clear()
        self._ports.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _of(self, app: str = "") -> list[Instance]:
        """The instances of one app, or of all."""
        # Copies, each made in one step: requests are answered in other threads than instances are started in.
        if app:
            return list(self._instances.get(app, {}).values())
        return [one for those in list(self._instances.values()) for one in list(those.values())]

    async def _clear(self, folder: Path) -> None:
        """End whatever runs in a folder that describes no instance, and remove it."""
        handles = [self._driver.adopt(state_dir) for state_dir in _folders(folder)]
        await asyncio.gather(*(self._driver.stop(handle) for handle in handles if handle is not None))
        shutil.rmtree(folder, ignore_errors=True)

    def _create(self, spec: InstanceSpec, *, committed: bool) -> Instance:
        if self._lock < 0:
            raise RuntimeError("adopt() comes first")
        record = InstanceRecord(
            id=uuid7(),
            app=spec.app,
            version=spec.version,
            process=spec.process,
            index=spec.index,
            port=self._ports.allocate() if spec.port else 0,
            run="",
            created_at=time.time_ns(),
            committed=committed,
        )
        return self._instance(record, self._paths.app(spec.app) / "run" / record.id, spec)

    def _instance(self, record: InstanceRecord, folder: Path, spec: InstanceSpec | None) -> Instance:
        logs = self._paths.app(record.app) / "logs"
        instance = Instance(self._driver, record, spec, folder, logs, self._policy, self._changed, self._begun)
        self._instances.setdefault(record.app, {})[record.id] = instance
        return instance

    def _changed(self, instance: Instance) -> None:
        info = instance.info()
        if self._on_change is not None:
            try:
                self._on_change(instance.app, info)
            except Exception:  # whatever it is: what happens to an instance does not depend on who listens
                _log.exception("a listener failed on %s %s", instance.app, info.name)

    def _begun(self, instance: Instance) -> None:
        """Each new run has a log of its own: let go of the oldest."""
        live = {one.record.run for one in self._of(instance.app)}
        try:
            if instance.logs.is_dir():
                prune(instance.logs, live)
        except OSError as error:
            _log.warning("the oldest logs of %s could not be removed: %s", instance.app, error)

    def _take_lock(self) -> None:
        if self._lock >= 0:
            raise RuntimeError("adopt() was called before")
        self._paths.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._paths.root / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise RigError(
                "locked", "Another node looks after these apps already.", "See which one with `rig node status`."
            ) from None
        self._lock = lock


def _nothing(_: Handle) -> list[int]:
    return []


def _folders(path: Path) -> list[Path]:
    return [each for each in path.iterdir() if each.is_dir()] if path.is_dir() else []
