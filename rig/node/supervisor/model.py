"""What the supervisor is asked for, what it tells, and what it keeps on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from rig.contract.apps import Instance as InstanceReply
from rig.kernel.files import write_atomic
from rig.kernel.ids import rfc3339
from rig.node.runtime.driver import Mount

RECORD = "instance.json"

State = Literal["starting", "up", "stopping", "backoff", "crashed", "exited"]


class InstanceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One wanted instance. It is derived from the journal; nothing of ``env`` is written to disk."""

    app: str
    """``network/app``."""
    version: int
    process: str
    index: int
    """From 1."""
    argv: tuple[str, ...]
    env: dict[str, str]
    """The whole environment but ``PORT``, which the supervisor adds where ``port`` is set."""
    secrets: tuple[str, ...] = ()
    """Names in ``env`` whose values are hidden in the log."""
    cwd: str
    mounts: tuple[Mount, ...] = ()
    stop_timeout: int = 10
    memory: int = 0
    port: bool = True

    @property
    def name(self) -> str:
        """``web.1``."""
        return f"{self.process}.{self.index}"

    @property
    def key(self) -> tuple[str, int, str]:
        """What is wanted once: app, version and name."""
        return self.app, self.version, self.name


class InstanceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``instance.json``: what the next node needs to take the instance over."""

    id: str
    app: str
    version: int
    process: str
    index: int
    port: int
    """0 where it has none."""
    run: str
    """Id of the run, and name of its state folder, beside this file."""
    created_at: int
    """Nanoseconds since the epoch."""
    restarts: int = 0
    """Starts of runs after the first one."""
    committed: bool = False
    """Whether it is meant to stay; one that is not belonged to a deployment that never came to its end."""

    @property
    def key(self) -> tuple[str, int, str]:
        return self.app, self.version, f"{self.process}.{self.index}"


class InstanceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How an instance is doing."""

    id: str
    app: str
    name: str
    process: str
    version: int
    state: State
    pid: int = 0
    """Of the app's first process, 0 while none runs, or where the system was not asked."""
    port: int = 0
    restarts: int = 0
    started_at: int = 0
    """Of the current run, or of the last one; nanoseconds since the epoch."""
    exit: str = ""
    """How the run before ended, or the current one, if it has: ``exit 1``, ``SIGKILL``, ``lost``; else empty."""
    reason: str = ""
    """Why it is ``crashed``."""
    memory: int = 0
    """Resident bytes of all its processes; 0 likewise."""

    def reply(self) -> InstanceReply:
        """As the API tells it."""
        return InstanceReply(
            name=self.name,
            version=self.version,
            state=self.state,
            pid=self.pid,
            port=self.port,
            started_at=rfc3339(self.started_at),
            restarts=self.restarts,
            exit=self.exit,
            memory=self.memory,
        )


def save(folder: Path, record: InstanceRecord) -> None:
    """Write ``instance.json``, whole or not at all."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(folder / RECORD, msgspec.json.encode(record), durable=False)


def load(folder: Path) -> InstanceRecord | None:
    """Read ``instance.json``; None where it is not there, or is none."""
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=InstanceRecord)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def time_of(run: str) -> int:
    """When a run was begun, ns since the epoch: its id is a UUIDv7, whose first 48 bits are milliseconds (RFC 9562)."""
    return int(run.replace("-", "")[:12], 16) * 1_000_000
