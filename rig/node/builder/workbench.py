"""Where the commands of one build run: one after another, in the app's own places, within one time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec

from rig.contract.project import BuildConfig
from rig.kernel.errors import RigError
from rig.node.builder.model import BuildMount, BuildPaths, BuildRequest, read_only
from rig.node.builder.output import BuildLog
from rig.node.builder.toolchain import SYSTEM_PATH
from rig.node.runtime.driver import Driver, Mount, ProcessSpec

APP = "/app"
HOME = "/home/app"


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What a builder made; the pipeline turns it into a `Build`."""

    language: str = ""
    processes: dict[str, str] = {}
    """Used for those that neither the Procfile nor rig.toml gives."""
    mounts: tuple[BuildMount, ...] = ()
    path: tuple[str, ...] = ()
    env: dict[str, str] = {}
    layers: tuple[str, ...] = ()
    installed: bool = False
    static_root: str = ""
    warnings: tuple[str, ...] = ()


class Workbench:
    """Runs commands for one build and keeps their output."""

    def __init__(self, request: BuildRequest, driver: Driver, log: BuildLog) -> None:
        self.request = request
        self.driver = driver
        self.log = log
        self._deadline = asyncio.get_running_loop().time() + request.config.build.timeout
        self._steps = 0

    @property
    def paths(self) -> BuildPaths:
        return self.request.paths

    @property
    def config(self) -> BuildConfig:
        return self.request.config.build

    @property
    def app(self) -> str:
        """The source, as a process sees it."""
        return self.driver.place(self.paths.source, APP)

    def writable(self, host: Path, inside: str) -> Mount:
        """A folder of the app's that a command may write, made if missing."""
        host.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Mount(source=host, target=self.driver.place(host, inside), writable=True)

    async def command(self, product: Product) -> None:
        """Run `[build] command`, if there is one, with what the builder has made so far."""
        if self.config.command:
            await self.shell(
                self.config.command, "the build command", product, heading=f"Running `{self.config.command}`"
            )

    async def shell(
        self, command: str, what: str, product: Product, *, heading: str, env: Mapping[str, str] | None = None
    ) -> None:
        """Run a command line of the user's in the source, as its processes will be run."""
        self.log.heading(heading)
        await self.run(
            ("/bin/sh", "-c", command),
            what,
            path=product.path,
            env={name: value for name, value in product.env.items() if name not in self.request.env} | dict(env or {}),
            mounts=read_only(product.mounts, self.paths),
        )

    async def run(
        self,
        argv: tuple[str, ...],
        what: str,
        *,
        hint: str = "",
        path: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        mounts: tuple[Mount, ...] = (),
    ) -> None:
        """Run one command to its end. ``what`` names it in messages; ``env`` wins over the app's variables.

        Raises `RigError` ``build_failed`` where it ends with another status than 0, ``build_timeout`` where the time of
        the whole build is over; all its processes are gone then.
        """
        self._steps += 1
        step = self.paths.steps / str(self._steps)
        spec = ProcessSpec(
            id=f"build-{self.paths.id}-{self._steps}",
            owner=self.request.owner,
            argv=argv,
            env=self._environment(path, env or {}),
            secrets=tuple(name for name in self.request.secrets if name not in (env or {})),
            cwd=self.app,
            mounts=(*self._mounts(), *mounts),
            state_dir=step / "state",
            log_dir=step / "log",
            stop_timeout=2,
        )
        step.mkdir(parents=True, mode=0o700)
        left = self._deadline - asyncio.get_running_loop().time()
        try:
            if left <= 0:
                raise TimeoutError
            status = await self.driver.run(spec, left, self.log.output)
        except TimeoutError:
            raise self._timed_out(what) from None
        if status.code != 0:
            self.log.note(f"{what} failed: {status}")
            raise RigError(
                "build_failed",
                f"{what[:1].upper()}{what[1:]} failed: {status}.",
                hint or "The output above says why; `rig logs build` shows all of it.",
                output=self.log.tail(),
                step=what,
            )

    def _timed_out(self, what: str) -> RigError:
        seconds = self.config.timeout
        self.log.note(f"the build was ended after {seconds} s, during {what}")
        return RigError(
            "build_timeout",
            f"The build took longer than {seconds} s and was ended during {what}.",
            f"Set `timeout` under `[build]` in rig.toml to more than {seconds}, at most 7200.",
            output=self.log.tail(),
            step=what,
        )

    def _mounts(self) -> tuple[Mount, ...]:
        return (
            self.writable(self.paths.source, APP),
            self.writable(self.paths.build_home, HOME),
            self.writable(self.paths.tmp, "/build-tmp"),
        )

    def _environment(self, path: tuple[str, ...], env: Mapping[str, str]) -> dict[str, str]:
        own = self.request.env
        return {
            "LANG": "C.UTF-8",
            **self.request.settings,
            **own,
            **env,
            "PATH": ":".join((*path, own.get("PATH") or ":".join(SYSTEM_PATH))),
            "HOME": self.driver.place(self.paths.build_home, HOME),
            "TMPDIR": self.driver.place(self.paths.tmp, "/build-tmp"),
        }
