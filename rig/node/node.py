"""The node at work: one asyncio process, with one thread for all that it decides and writes.

The event loop serves requests and watches processes. Every command is dispatched in the writer thread, one after the
other, so that a decision still holds when its facts are appended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from events.app import AppCrashed, AppState
from events.base import Fact
from events.command import CommandCompleted
from rig import __version__
from rig.contract.apps import ShowAppStatus
from rig.contract.base import Command, Reply
from rig.contract.collect import CollectGarbage
from rig.contract.evidence import ArchiveNode
from rig.contract.releases import ShowBuildLog
from rig.contract.replica import ListRecords
from rig.kernel.bus import Bus, outcome_of
from rig.kernel.errors import RigError
from rig.kernel.ids import uuid7
from rig.kernel.ports import Clock, Draft, Recorded, Stamp
from rig.node.accounts.principal import Principal
from rig.node.background import Background
from rig.node.deploy import watch
from rig.node.deploy.deployer import Deployer
from rig.node.policy import Policy
from rig.node.ports import NodePorts
from rig.node.runtime.driver import IsolationName
from rig.node.supervisor.model import InstanceInfo
from rig.node.world import FoldingJournal, World

T = TypeVar("T")

log = logging.getLogger("rig.node")

BESIDE = (ArchiveNode, CollectGarbage, ListRecords, ShowAppStatus, ShowBuildLog)
"""Commands that take long, since they look at the disk or at all processes. They are not carried out in the writer
thread, where everybody else would wait for them. So their handlers must not decide by the world, and what they read in
several steps may change in between."""
BESIDE_AT_ONCE = 8
"""How many of them. In threads of their own: those that asyncio shares may all be busy with passphrases."""

ACTOR = "system:node"
"""The node itself, as its journal names it."""


class Silence:
    """Progress for a program that nobody watches."""

    def step(self, text: str) -> None:
        pass

    def advance(self, done: int, total: int, unit: str = "bytes") -> None:
        pass

    def line(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        log.warning("%s", text)


class Writer:
    """The one thread in which the node decides and writes."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")

    async def run(self, work: Callable[[], T]) -> T:
        """Do ``work`` there. It is done to its end even if whoever waits for it has gone."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._executor, work))

    def wait(self, work: Callable[[], T]) -> T:
        """Do ``work`` there and block until it is done; never call it on the event loop or in that thread."""
        return self._executor.submit(work).result()

    def close(self) -> None:
        self._executor.shutdown(wait=True)


class Recorder:
    """Puts facts that follow from no request on the node's record.

    What no record caused begins a correlation of its own, so that what comes of it can be found, too.
    """

    def __init__(self, journal: FoldingJournal, writer: Writer, clock: Clock) -> None:
        self._journal = journal
        self._writer = writer
        self._clock = clock

    def now(self, stream: str, *facts: Fact, target: str, outcome: str, actor: str = ACTOR, src: str = "") -> None:
        """Append facts in one transaction, in the writer thread or before there is another."""
        identity = uuid7()
        stamp = Stamp(
            id=identity, actor=actor, at=self._clock.now(), src=src, corr=identity, client=f"rig/{__version__}"
        )
        drafts = [Draft(stream=stream, fact=fact, target=target, outcome=outcome) for fact in facts]
        self._journal.append(drafts, stamp)

    async def of_node(self, fact: Fact) -> None:
        """Append a fact about the node itself."""
        await self._writer.run(lambda: self.now("node", fact, target="node", outcome="success"))

    async def denied(self, what: str, target: str, error: RigError, stamp: Stamp) -> None:
        """Put on the record that somebody was denied what travels beside the bus, as the bus does it for a command."""
        fact = CommandCompleted(
            command=what,
            exit=error.exit,
            code=error.code,
            message=error.message,
            hint=error.hint,
            client=stamp.client,
        )
        draft = Draft(stream=f"command:{stamp.id}", fact=fact, target=target, outcome=outcome_of(error))
        await self._writer.run(lambda: self._journal.append([draft], stamp))

    async def __call__(self, app: str, facts: list[Fact], *, outcome: str, cause: Recorded | None) -> None:
        """Append facts about an app, under the actor and correlation of the record that caused them."""
        identity = uuid7()
        stamp = Stamp(
            id=identity,
            actor=cause.actor if cause else ACTOR,
            at=self._clock.now(),
            src=cause.src if cause else "",
            corr=cause.corr if cause else identity,
            client=f"rig/{__version__}",
        )
        caus = cause.id if cause else ""
        drafts = [Draft(stream=f"app:{app}", fact=fact, target=app, outcome=outcome, caus=caus) for fact in facts]
        await self._writer.run(lambda: self._journal.append(drafts, stamp))


class Listener(Protocol):
    """Hears of what was recorded, on the event loop."""

    def hear(self, record: Recorded) -> None: ...


class WrittenElsewhere:
    """The journal for what is not done in the writer thread: appends are."""

    def __init__(self, journal: FoldingJournal, writer: Writer) -> None:
        self._journal = journal
        self._writer = writer

    def append(self, *arguments: Any, **options: Any) -> list[Recorded]:
        """As `FoldingJournal.append`."""
        return self._writer.wait(lambda: self._journal.append(*arguments, **options))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


class Node:
    """Dispatches what the API brings, and tells the deployer what came of it."""

    def __init__(
        self,
        journal: FoldingJournal,
        world: World,
        writer: Writer,
        recorder: Recorder,
        ports_for: Callable[[Principal], NodePorts],
        clock: Clock,
        isolation: IsolationName,
    ) -> None:
        self._clock = clock
        self._isolation = isolation
        self._journal = journal
        self._writer = writer
        self._recorder = recorder
        self._ports_for = ports_for
        self._world = world
        self._deployer: Deployer | None = None
        self._background = Background()
        self._beside = ThreadPoolExecutor(BESIDE_AT_ONCE, thread_name_prefix="beside")

    def attach(self, deployer: Deployer, *others: Listener) -> None:
        """From now on the deployer, and whoever else wants to, hears of every fact."""
        self._deployer = deployer
        loop = asyncio.get_running_loop()

        def pass_on(record: Recorded) -> None:
            for listener in (deployer, *others):
                loop.call_soon_threadsafe(listener.hear, record)

        self._world.listeners.append(pass_on)

    async def dispatch(self, command: Command, stamp: Stamp, principal: Principal) -> tuple[Reply, list[str]]:
        """Dispatch one command on behalf of ``principal``. Raises `RigError`."""
        beside = isinstance(command, BESIDE)
        bus = Bus(
            WrittenElsewhere(self._journal, self._writer) if beside else self._journal,
            self._ports_for(principal),
            Silence(),
            handlers="rig.node.handlers",
            policy=Policy(principal),
            authoritative=True,
        )
        if beside:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._beside, bus.dispatch, command, stamp)
        return await self._writer.run(lambda: bus.dispatch(command, stamp))

    async def close(self) -> None:
        """Take no more commands; those beside the writer have come to their end when this returns."""
        await asyncio.to_thread(self._beside.shutdown)

    def news(self, app: str) -> asyncio.Event:
        """What is set when something changes about an app."""
        return self._deployer.news(app) if self._deployer is not None else asyncio.Event()

    def on_instance_change(self, app: str, info: InstanceInfo) -> None:
        """Put an instance that is given up on the record, and take back a release that dies young."""
        if info.state == "crashed":
            fact = AppCrashed(name=app, instance=info.name, version=info.version, reason=info.reason)
            self._background.spawn(self._recorder(app, [fact], outcome="failure", cause=None))
        if info.state in watch.DEAD:
            self._background.spawn(self._writer.run(lambda: self._take_back(app, info)))

    def _take_back(self, app: str, info: InstanceInfo) -> None:
        """In the writer thread, where what is decided on still holds when it is recorded."""
        state = self._world.apps.get(app, AppState())
        facts = watch.decide(state, info, self._clock.now(), self._isolation)
        if facts:
            self._recorder.now(f"app:{app}", *facts, target=app, outcome="success")
