"""The one interface of all runtime drivers: processes today, containers and a cluster engine later.

Everything that the node runs for somebody else goes through here: app processes, builds, release commands.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

IsolationName = Literal["bubblewrap", "none"]


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of the host that the process may see. ``target`` is its place inside, see :meth:`Driver.place`."""

    source: Path
    target: str
    writable: bool = False


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one command. Nothing reaches it that is not named here: ``env`` is its whole environment."""

    id: str
    """Unique among all runs; also the log's epoch."""
    owner: str = ""
    """Whose run it is, as ``network/app``. Where the node is root, each owner has a user id of its own, and the
    writable mounts are handed over to it."""
    labels: dict[str, str] = {}
    """Kept with the log, to find it again: ``process``, ``version`` …"""
    argv: tuple[str, ...]
    env: dict[str, str]
    secrets: tuple[str, ...] = ()
    """Names in ``env`` whose values are hidden in the log."""
    cwd: str
    """As the process sees it."""
    mounts: tuple[Mount, ...] = ()
    state_dir: Path
    """Made by the driver, 0700; holds the shim's state and the exit status, and is what adoption reads."""
    log_dir: Path
    """Where the shim writes the output, see `rig.node.logs`. Runs that follow each other may share it."""
    log_bytes: int = 32 << 20
    """How much of the output is kept, at most; the oldest goes first."""
    stop_timeout: int = 10
    """Seconds between SIGTERM and SIGKILL."""
    memory: int = 0
    """Limit in bytes, 0 for none. Enforced by cgroup v2 or refused with `RigError` ``bad_config``."""


class ExitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. ``code`` is -1 where a signal ended it; both are unknown (-1, 0) where the shim was killed."""

    code: int
    signal: int = 0
    at: int = 0
    """Nanoseconds since the epoch."""

    def __str__(self) -> str:
        if self.signal:
            import signal

            return signal.Signals(self.signal).name
        return f"exit {self.code}" if self.code >= 0 else "lost"


class Handle(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was started, by this node or by one before it. A process is recognised by pid *and* start time."""

    id: str
    pid: int
    """Of the shim; 0 where the machine was started anew since, so that nothing can run."""
    started: int
    """Start time of the shim in clock ticks since boot, as in /proc/PID/stat field 22 (or psutil's, elsewhere)."""
    state_dir: Path
    log_dir: Path
    stop_timeout: int = 10


class Driver(Protocol):
    """Starts, watches and ends runs."""

    isolation: IsolationName

    def place(self, host: Path, inside: str) -> str:
        """Where ``host`` will be found by the process: ``inside`` (``/app``) where it is isolated, else ``host``."""
        ...

    def give(self, path: Path, owner: str) -> None:
        """Hand what the node has put there over to the runs of ``owner``, where each owner has a user of its own."""
        ...

    async def start(self, spec: ProcessSpec) -> Handle:
        """Start it, detached from the node: it goes on when the node is killed. Raises `RigError`."""
        ...

    async def run(self, spec: ProcessSpec, timeout: float, on_line: Callable[[str], None] | None = None) -> ExitStatus:
        """Start it, wait for its end, at most ``timeout`` seconds (then it is killed and `TimeoutError` raised)."""
        ...

    def alive(self, handle: Handle) -> bool: ...

    def pids(self, handle: Handle) -> list[int]:
        """The pids, as the host sees them, of everything that runs inside, the shim and the sandbox left out."""
        ...

    def look(self) -> Callable[[Handle], list[int]]:
        """Look at all processes once; gives what :meth:`pids` would say of each run at this moment."""
        ...

    async def wait(self, handle: Handle) -> ExitStatus: ...

    async def stop(self, handle: Handle) -> ExitStatus:
        """SIGTERM, then SIGKILL after the spec's ``stop_timeout``; no process of the run is left behind."""
        ...

    def adopt(self, state_dir: Path) -> Handle | None:
        """The handle of a run that an earlier node started, whether it still runs or not; None if there is none."""
        ...
