"""Runs for tests: specs that need little, and everything ended afterwards."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict, Unpack

from rig.kernel.ids import uuid7
from rig.node.logs.reader import LogReader
from rig.node.runtime import identity
from rig.node.runtime.driver import Handle, IsolationName, Mount, ProcessSpec
from rig.node.runtime.process import ProcessDriver

PATH = "/usr/local/bin:/usr/bin:/bin"


class Limits(TypedDict, total=False):
    """What `Runs.spec` takes beside the words of a command."""

    stop_timeout: int
    memory: int
    log_bytes: int


class Runs:
    """Makes specs for one app, below one folder."""

    def __init__(self, base: Path, isolation: IsolationName, owner: str = "demo/hello") -> None:
        self.base = base
        self.owner = owner
        self.driver = ProcessDriver(isolation)
        self.home = base / "home" / owner
        self.home.mkdir(parents=True, exist_ok=True)
        self.state = base / "state"

    @property
    def inside(self) -> str:
        """The home, as the process sees it."""
        return self.driver.place(self.home, "/home/app")

    def spec(
        self,
        *argv: str,
        env: dict[str, str] | None = None,
        stop_timeout: int = 120,
        memory: int = 0,
        log_bytes: int = 1 << 25,
        secrets: tuple[str, ...] = (),
    ) -> ProcessSpec:
        run = uuid7()
        return ProcessSpec(
            id=run,
            owner=self.owner,
            argv=argv,
            env={"PATH": PATH} if env is None else env,
            secrets=secrets,
            cwd=self.inside,
            mounts=(Mount(source=self.home, target="/home/app", writable=True),),
            state_dir=self.state / run,
            log_dir=self.base / "logs" / run,
            log_bytes=log_bytes,
            stop_timeout=stop_timeout,
            memory=memory,
        )

    def shell(self, script: str, **more: Unpack[Limits]) -> ProcessSpec:
        return self.spec("/bin/sh", "-c", script, **more)

    def python(self, script: str, **more: Unpack[Limits]) -> ProcessSpec:
        return self.spec(os.path.realpath(sys.executable), "-I", "-S", "-c", script, **more)

    def output(self, handle: Handle | ProcessSpec) -> list[str]:
        return [line.text for line in LogReader(handle.log_dir).read(limit=1_000_000).lines]


@contextmanager
def runs_below(base: Path, isolation: IsolationName) -> Iterator[Runs]:
    """Runs whose leftovers, should a test fail half-way, are killed in the end."""
    runs = Runs(base, isolation)
    try:
        yield runs
    finally:
        for folder in base.rglob("spec.json"):
            handle = runs.driver.adopt(folder.parent)
            if handle is not None and runs.driver.alive(handle):
                os.kill(handle.pid, signal.SIGQUIT)


def gone(pid: int) -> bool:
    return identity.started(pid) == 0
