"""A node that deploys, for tests: real journal, world, supervisor and deployer; runs and edge are made by hand."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec

from events.app import AppCreated, AppState, DeployStarted
from events.base import Fact
from events.network import NetworkCreated
from rig.contract.project import AppConfig, DeployConfig, HealthConfig
from rig.kernel.errors import RigError
from rig.kernel.ids import SystemClock
from rig.kernel.ports import Recorded
from rig.node.builder.launch import PATIENT
from rig.node.builder.model import Build, BuildPaths, save_build
from rig.node.bundles.stores import Stores
from rig.node.deploy.deployer import Deployer
from rig.node.deploy.keys import build_key
from rig.node.deploy.routing import Routing
from rig.node.deploy.workshop import Workshop
from rig.node.edge.config import EdgeOptions
from rig.node.edge.slots import Route
from rig.node.node import Node, Recorder, Writer
from rig.node.paths import NodePaths
from rig.node.runtime.driver import ExitStatus, Handle, IsolationName, ProcessSpec
from rig.node.secrets.keys import NodeKeys
from rig.node.secrets.vault import Vault
from rig.node.supervisor.policy import Policy
from rig.node.supervisor.supervisor import Supervisor
from rig.node.world import FoldingJournal, World
from storage.journal import Journal
from tests.support import pass_time, until

APP = "demo/hello"
BUNDLE = "a" * 64
OTHER = "b" * 64
HOUR = 3600


class Runs:
    """A driver whose runs are servers in this process. They outlive a supervisor, as real ones do."""

    isolation: IsolationName = "none"

    def __init__(self) -> None:
        self.commands: list[str] = []
        """What was run to its end, in order."""
        self.answers = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.asked = 0
        """How many requests were sent to them."""
        self.limits: list[int] = []
        """Bytes of memory that each of them may take, in the order in which they were started; 0 for no limit."""
        self.looks = 0
        """How often all processes were looked at."""
        self._ends: dict[str, asyncio.Future[ExitStatus]] = {}
        self._servers: dict[str, asyncio.Server] = {}
        self._handles: dict[Path, Handle] = {}

    def place(self, host: Path, inside: str) -> str:
        return str(host)

    def give(self, path: Path, owner: str) -> None:
        """All runs are of one user."""

    async def start(self, spec: ProcessSpec) -> Handle:
        spec.state_dir.mkdir(parents=True)
        self.limits.append(spec.memory)
        handle = Handle(id=spec.id, pid=os.getpid(), started=1, state_dir=spec.state_dir, log_dir=spec.log_dir)
        # Its server first: whoever sees that the run is there may end it at once.
        if "PORT" in spec.env:
            self._servers[spec.id] = await asyncio.start_server(self._answer, "127.0.0.1", int(spec.env["PORT"]))
        self._ends[spec.id] = asyncio.get_running_loop().create_future()
        self._handles[spec.state_dir] = handle
        return handle

    async def run(self, spec: ProcessSpec, timeout: float, on_line: Callable[[str], None] | None = None) -> ExitStatus:
        self.commands.append(spec.argv[-1].removeprefix(PATIENT))
        return ExitStatus(code=0)

    def alive(self, handle: Handle) -> bool:
        return not self._ends[handle.id].done()

    def look(self) -> Callable[[Handle], list[int]]:
        self.looks += 1
        return self.pids

    def pids(self, handle: Handle) -> list[int]:
        return [os.getpid()] if self.alive(handle) else []

    async def wait(self, handle: Handle) -> ExitStatus:
        return await asyncio.shield(self._ends[handle.id])

    async def stop(self, handle: Handle) -> ExitStatus:
        self.crash(handle, ExitStatus(code=-1, signal=15))
        return await self.wait(handle)

    def crash(self, handle: Handle, status: ExitStatus) -> None:
        """End a run by itself."""
        if handle.id in self._servers:
            self._servers.pop(handle.id).close()
        if self.alive(handle):
            self._ends[handle.id].set_result(status)

    def adopt(self, state_dir: Path) -> Handle | None:
        return self._handles.get(state_dir)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        writer.write(self.answers)
        await writer.drain()
        writer.close()


class HandMadeEdge:
    """Keeps the routes that it was given. Requests are in flight until :attr:`idle` is set."""

    def __init__(self) -> None:
        self.options = EdgeOptions()
        self.routes: list[Route] = []
        self.idle = asyncio.Event()
        self.idle.set()
        self.refuses = False
        self.blind = False

    def url(self, hostname: str) -> str:
        return f"http://{hostname}:7480"

    async def apply(self, routes: Iterable[Route]) -> None:
        if self.refuses:
            raise RigError("unavailable", "The edge does not answer.")
        self.routes = list(routes)

    async def drained(self, ports: Iterable[int], seconds: float) -> bool:
        if self.blind:
            raise PermissionError("the system does not tell")
        await self.idle.wait()
        return True


class Record:
    """The node's recorder, which refuses facts of some types for as long as it is told to."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.refused: set[type[Fact]] = set()
        self.refusals = 0

    async def __call__(self, app: str, facts: list[Fact], *, outcome: str, cause: Recorded | None) -> None:
        if self.refused & {type(fact) for fact in facts}:
            self.refusals += 1
            raise RigError("journal_unavailable", "The disk is full.")
        await self._recorder(app, facts, outcome=outcome, cause=cause)


class Deploying:
    """One node from its start to its end; the next one of the same folder goes on where it was."""

    def __init__(self, base: Path, runs: Runs, edge: HandMadeEdge) -> None:
        self.runs, self.edge = runs, edge
        self.paths = NodePaths(base)
        self.world = World()
        self.vault = Vault(self.paths.secrets, NodeKeys(self.paths.secrets_key))
        self.stored = Journal.open(self.paths.journal, origin="node")
        self.world.replay(self.stored)
        self.journal = FoldingJournal(self.stored, self.world)
        self.writer = Writer()
        self.recorder = Recorder(self.journal, self.writer, SystemClock())
        self.record = Record(self.recorder)
        self.node = Node(self.journal, self.world, self.writer, self.recorder, cast(Any, None), SystemClock(), "none")
        policy = Policy(first_delay=0.01, longest_delay=0.01, crashes=2)
        self.supervisor = Supervisor(runs, self.paths, on_change=self.node.on_instance_change, policy=policy)
        self.stores = Stores(self.paths)
        routing = Routing(cast(Any, edge), self.world)
        workshop = Workshop(
            world=self.world,
            paths=self.paths,
            driver=runs,
            supervisor=self.supervisor,
            routing=routing,
            stores=self.stores,
            record=self.record,
            secrets=self.vault,
        )
        self.deployer = Deployer(workshop)

    async def start(self) -> None:
        await self.deployer.start()
        self.node.attach(self.deployer)

    async def close(self) -> None:
        """End the node, and leave what runs."""
        await self.deployer.close()
        await self.supervisor.close()
        self.writer.close()
        self.stores.close()
        self.vault.close()
        self.stored.close()

    # -- what is told to it -------------------------------------------------------------------------------------------

    async def say(self, *facts: Fact, stream: str = f"app:{APP}", actor: str = "user:ana") -> None:
        """Put facts on the record, as a handler does."""
        for fact in facts:
            await self.writer.run(partial(self.recorder.now, stream, fact, target=APP, outcome="success", actor=actor))

    async def found(self) -> None:
        await self.say(NetworkCreated(name="demo"), stream="network:demo")
        await self.say(AppCreated(name=APP))

    async def begin(self, bundle: str = BUNDLE, config: AppConfig | None = None, **more: Any) -> int:
        """Begin a release of a bundle that is built already; gives its number."""
        started = DeployStarted(
            app=APP,
            version=self.app.last + 1,
            bundle=bundle,
            config=msgspec.to_builtins(config or patient()),
            previous=self.app.current,
            isolation="none",
            **more,
        )
        self.built(started)
        await self.say(started)
        return started.version

    async def deploy(self, bundle: str = BUNDLE, config: AppConfig | None = None, **more: Any) -> int:
        """The same, to its end."""
        version = await self.begin(bundle, config, **more)
        await self.over(version)
        return version

    async def over(self, version: int) -> None:
        """Wait until a release is over: on the record, and for whoever else waits for the app."""

        async def is_over() -> bool:
            return self.app.releases[version].outcome != "pending" and not self.deployer.lock(APP).locked()

        await until(is_over, f"the end of v{version}")

    def built(self, started: DeployStarted) -> BuildPaths:
        """A build of that release, complete on disk."""
        config = msgspec.convert(started.config, AppConfig)
        paths = BuildPaths(self.paths.app("demo/hello"), build_key(started, config, "none"))
        paths.source.mkdir(parents=True, exist_ok=True)
        build = Build(
            id=paths.id,
            builder="procfile",
            isolation="none",
            place=str(paths.source),
            processes={"web": f"serve {started.bundle[0]}"},
        )
        save_build(build, paths)
        return paths

    def forget_build(self, version: int) -> None:
        shutil.rmtree(BuildPaths(self.paths.app("demo/hello"), self.app.releases[version].build).root)

    # -- how it is ----------------------------------------------------------------------------------------------------

    @property
    def app(self) -> AppState:
        return self.world.app(APP)

    @property
    def ports(self) -> tuple[int, ...]:
        """Where the edge sends the app's requests."""
        return next(route.ports for route in self.edge.routes if route.app == APP)

    def running(self) -> list[tuple[str, int]]:
        """Name and version of each instance."""
        return [(info.name, info.version) for info in self.supervisor.instances(APP)]

    def facts(self) -> list[str]:
        """Types of the facts of the app, oldest first."""
        return [type(record.fact).type for record in self.stored.stream(f"app:{APP}")]

    async def runs_as(self, *wanted: tuple[str, int]) -> None:
        async def so() -> bool:
            return self.running() == list(wanted)

        await until(so, f"instances {wanted}")

    async def is_not_waited_for(self) -> None:
        """What is being started does not answer well, for as long as it may take."""
        asked = self.runs.asked

        async def asked_again() -> bool:
            return self.runs.asked > asked

        await until(asked_again, "it is asked whether it is ready")
        pass_time(HOUR)

    async def serves(self, count: int) -> None:
        async def so() -> bool:
            return len(self.ports) == count

        await until(so, f"{count} instances get requests")


def patient(**more: Any) -> AppConfig:
    """A configuration under which nothing is given up by itself, however busy the machine is."""
    return AppConfig(health=HealthConfig(timeout=HOUR), deploy=DeployConfig(drain=HOUR), **more)


@asynccontextmanager
async def deploying(base: Path, runs: Runs | None = None, edge: HandMadeEdge | None = None) -> AsyncIterator[Deploying]:
    """A node of which nothing runs on afterwards, unless it was closed before."""
    made = Deploying(base, runs or Runs(), edge or HandMadeEdge())
    await made.start()
    try:
        yield made
    finally:
        await made.deployer.close()
        await made.supervisor.stop_all()
        await made.close()


def on_a_node(base: Path, scenario: Callable[[Deploying], Awaitable[None]], *, live: bool = False) -> None:
    """Play a scenario on a node with one app, `demo/hello`, of which a release serves if it is to be ``live``."""

    async def play() -> None:
        async with deploying(base) as node:
            await node.found()
            if live:
                await node.deploy()
            await scenario(node)

    asyncio.run(play())
