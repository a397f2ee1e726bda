"""The driver for plain processes: every run has a shim (`rig.node.runtime.keeper`) that outlives the node."""

from __future__ import annotations

import asyncio
import marshal
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.files import write_atomic
from rig.node.descriptors import restore_limit
from rig.node.logs.reader import META, LogReader, StreamInfo
from rig.node.processes import until_ended
from rig.node.runtime import identity, keeper, sandbox, shim
from rig.node.runtime.cgroups import MemoryLimiter
from rig.node.runtime.driver import ExitStatus, Handle, IsolationName, ProcessSpec
from rig.node.runtime.isolation import find_bwrap
from rig.node.runtime.ownership import hand_over

_SPEC = "spec.json"
_POLL = 0.05
"""Seconds between looks at the output of `run`."""
_GRACE = 10.0
"""Seconds a shim may take beyond the stop timeout before it is killed itself."""


T = TypeVar("T")


class _Spec(msgspec.Struct, frozen=True, kw_only=True):
    """``spec.json``, from the driver: what adoption needs to know of the spec. No environment: it may hold secrets."""

    id: str
    log_dir: str
    stop_timeout: int
    sandboxed: bool


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    """``run.json``, from the shim: who runs. ``root`` is the sandbox's init, else the process itself, 0 until then."""

    boot: str
    pid: int
    started: int
    root: int = 0
    root_started: int = 0


class ProcessDriver:
    """Implements `rig.node.runtime.driver.Driver`."""

    def __init__(self, isolation: IsolationName, limiter: MemoryLimiter | None = None) -> None:
        self.isolation: IsolationName = isolation
        self._limiter = limiter or MemoryLimiter()
        self._host = sandbox.Host.inspect(find_bwrap()) if isolation == "bubblewrap" else None

    def memory_problem(self) -> str:
        """Why memory cannot be limited here; empty where it can."""
        return self._limiter.problem()

    def place(self, host: Path, inside: str) -> str:
        return inside if self._host else str(host)

    def give(self, path: Path, owner: str) -> None:
        if self._host is not None and self._host.switch_user:
            hand_over(path, sandbox.user_of(owner))

    async def start(self, spec: ProcessSpec) -> Handle:
        starting = asyncio.ensure_future(asyncio.to_thread(self._spawn, spec))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Whoever asked is gone, so nobody would ever end it.
            await self.stop(await starting, at_once=True)
            raise

    async def run(self, spec: ProcessSpec, timeout: float, on_line: Callable[[str], None] | None = None) -> ExitStatus:
        reader = LogReader(spec.log_dir)
        last = reader.bounds()[1]
        handle = await self.start(spec)
        try:
            failpoint("run.going")
            async with asyncio.timeout(timeout):
                ended = asyncio.ensure_future(self.wait(handle))
                try:
                    while not ended.done():
                        await asyncio.wait([ended], timeout=_POLL)
                        last = _tell(reader, last, on_line)
                finally:
                    ended.cancel()
                return await ended
        finally:
            if self.alive(handle):
                await asyncio.shield(self.stop(handle, at_once=True))
            _tell(reader, last, on_line)

    def alive(self, handle: Handle) -> bool:
        return identity.same(handle.pid, handle.started)

    def pids(self, handle: Handle) -> list[int]:
        return self.look()(handle)

    def look(self) -> Callable[[Handle], list[int]]:
        children = identity.children()

        def pids(handle: Handle) -> list[int]:
            if not self.alive(handle):
                return []
            run, spec = self._read(handle.state_dir)
            if run is None or spec is None or not run.root:
                return []
            return identity.below(run.root if spec.sandboxed else run.pid, children)

        return pids

    async def wait(self, handle: Handle) -> ExitStatus:
        await until_ended(handle.pid, lambda: self.alive(handle))
        status = _decode(handle.state_dir / keeper.EXIT, ExitStatus)
        if status is None:
            await asyncio.to_thread(self._sweep, handle)
        self._limiter.remove(handle.id)
        return status or ExitStatus(code=-1, at=time.time_ns())

    async def stop(self, handle: Handle, *, at_once: bool = False) -> ExitStatus:
        """As `Driver.stop`; ``at_once`` leaves SIGTERM out."""
        self._signal(handle, signal.SIGQUIT if at_once else signal.SIGTERM)
        try:
            async with asyncio.timeout((0 if at_once else handle.stop_timeout) + _GRACE):
                return await self.wait(handle)
        except TimeoutError:
            self._signal(handle, signal.SIGKILL)
            return await self.wait(handle)

    def adopt(self, state_dir: Path) -> Handle | None:
        run, spec = self._read(state_dir)
        if spec is None:
            return None
        # Without run.json the shim never got as far as to start anything.
        here = run is not None and run.boot == identity.boot_id()
        return Handle(
            id=spec.id,
            pid=run.pid if run is not None and here else 0,
            started=run.started if run is not None and here else 0,
            state_dir=state_dir,
            log_dir=Path(spec.log_dir),
            stop_timeout=spec.stop_timeout,
        )

    def _spawn(self, spec: ProcessSpec) -> Handle:
        order = self._order(spec)
        info = StreamInfo(epoch=spec.id, owner=spec.owner, labels=spec.labels, created_at=time.time_ns())
        if not (spec.log_dir / META).exists():
            write_atomic(spec.log_dir / META, msgspec.json.encode(info), durable=False)
        short = _Spec(
            id=spec.id, log_dir=str(spec.log_dir), stop_timeout=spec.stop_timeout, sandboxed=self._host is not None
        )
        write_atomic(spec.state_dir / _SPEC, msgspec.json.encode(short), durable=False)
        failpoint("run.described")
        with (spec.state_dir / "shim.err").open("wb") as errors:
            starter = subprocess.Popen(
                [sandbox.base_python(), "-I", "-S", "-X", "utf8", shim.__file__, spec.id],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={},
                cwd="/",
            )
        restore_limit(starter.pid)  # it waits for its order, and what it starts inherits it
        answer, _ = starter.communicate(marshal.dumps(order))
        if answer != keeper.READY:
            self._limiter.remove(spec.id)
            why = answer or (spec.state_dir / "shim.err").read_bytes().strip()[-500:] or b"its shim ended at once"
            raise RigError("failed", f"`{spec.argv[0]}` was not started: {why.decode(errors='replace')}.")
        failpoint("run.ready")
        handle = self.adopt(spec.state_dir)
        assert handle is not None
        return handle

    def _order(self, spec: ProcessSpec) -> dict[str, Any]:
        """What the shim is told. Makes the folders, and the memory limit."""
        for folder in (spec.state_dir, spec.log_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        order: dict[str, Any] = {
            "id": spec.id,
            "argv": list(spec.argv),
            "env": dict(spec.env),
            "secrets": list(spec.secrets),
            "cwd": spec.cwd,
            "uid": 0,
            "state_dir": str(spec.state_dir),
            "log_dir": str(spec.log_dir),
            "log_bytes": spec.log_bytes,
            "stop_timeout": spec.stop_timeout,
            "sandbox": [],
            "cgroup": "",
        }
        if self._host is not None:
            order |= self._sandbox(spec, self._host)
        if spec.memory:
            order["cgroup"] = str(self._limiter.create(spec.id, spec.memory))
        return order

    def _sandbox(self, spec: ProcessSpec, host: sandbox.Host) -> dict[str, Any]:
        uid = sandbox.user_of(spec.owner) if host.switch_user else 0
        if uid:
            for mount in spec.mounts:
                if mount.writable:
                    hand_over(mount.source, uid)
        etc = spec.state_dir / "etc"
        etc.mkdir(exist_ok=True)
        for name, text in sandbox.etc_files(uid or os.getuid(), uid or os.getgid()).items():
            (etc / name).write_text(text)
            (etc / name).chmod(0o644)
        return {
            "uid": uid,
            "sandbox": [host.bwrap],
            "sandbox_args": sandbox.arguments(spec, host, etc),
            "sandbox_enter": [host.python, "-I", "-S", "-X", "utf8", sandbox.ENTER],
        }

    def _read(self, state_dir: Path) -> tuple[_Run | None, _Spec | None]:
        return _decode(state_dir / keeper.RUN, _Run), _decode(state_dir / _SPEC, _Spec)

    def _signal(self, handle: Handle, number: int) -> None:
        """Signal the shim, and nobody who got its pid after it."""
        if sys.platform != "linux":
            if self.alive(handle):
                os.kill(handle.pid, number)
            return
        fd = _pidfd(handle)
        if fd is not None:
            try:
                signal.pidfd_send_signal(fd, number)
            except ProcessLookupError:
                return  # it ended by itself
            finally:
                os.close(fd)

    def _sweep(self, handle: Handle) -> None:
        """End what a shim that was killed left behind, and wait until it is gone."""
        run, spec = self._read(handle.state_dir)
        if run is None or spec is None or run.boot != identity.boot_id():
            return
        while True:
            if spec.sandboxed:
                left = [run.root] if identity.same(run.root, run.root_started) else []
            else:
                left = identity.session(run.root, run.root_started)
            if identity.same(run.pid, run.started):
                left.append(run.pid)  # it was slow to begin, and had been given up
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if not left:
                return
            time.sleep(0.01)


def _pidfd(handle: Handle) -> int | None:
    """A descriptor of the shim, None where it is gone. Opened first, compared after: no pid can change in between."""
    if not handle.pid:
        return None
    try:
        fd = os.pidfd_open(handle.pid)
    except ProcessLookupError:
        return None
    if identity.same(handle.pid, handle.started):
        return fd
    os.close(fd)
    return None


def _decode(path: Path, kind: type[T]) -> T | None:
    """A state file, None where it is not there or not whole."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _tell(reader: LogReader, last: int, on_line: Callable[[str], None] | None) -> int:
    """Hand new lines on; the seq of the last one."""
    batch = reader.read(last)
    while batch.lines:
        for line in batch.lines:
            if on_line is not None:
                on_line(line.text)
        last = batch.last
        batch = reader.read(last)
    return last
