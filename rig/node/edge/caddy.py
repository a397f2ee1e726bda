"""The edge as the node uses it: give it routes, and they are served, whatever happens to Caddy or to the node."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

import msgspec

from rig.contract.node import DEFAULT_EDGE_PORT
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.files import write_atomic
from rig.node.edge.admin import Admin, AdminRefused, bind_socket, remove_socket, socket_path, wait_until_answers
from rig.node.edge.binary import find_caddy
from rig.node.edge.config import ADMIN_FD, LISTEN_FDS, EdgeOptions, Tls, render
from rig.node.edge.failure import OUTPUT, log_size, start_failure
from rig.node.edge.process import EdgeProcess
from rig.node.edge.slots import Route, Slot, SlotFiles, assign, lay_out
from rig.node.sockets import Listening, listen

log = logging.getLogger("rig.node.edge")

START_TIMEOUT = 30.0
STOP_PATIENCE = 3.0
"""Seconds that open streams get when the edge itself is stopped."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Back-off between two starts of a Caddy that keeps ending, in seconds; it begins anew after a longer life."""

DRAIN_POLL = 0.1
"""Seconds between two looks at what is in flight."""
SETTLE = 0.5
"""Seconds after a switch in which a request may still reach an old instance: it was told the port just before."""


class EdgeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``edge.json``: what a later node needs to take this edge over, or to start it again as it was."""

    pid: int = 0
    started: int = 0
    admin: str = ""
    port: int = 0
    domain: str = ""
    tls: Tls = "off"
    listeners: int = 1
    routes: tuple[Route, ...] = ()
    """The last good ones."""
    slots: tuple[Slot, ...] = ()
    """Those of the configuration that Caddy has."""


class Edge:
    """One Caddy and its routes. Call :meth:`start` first; :meth:`close` or :meth:`stop` last."""

    def __init__(self, folder: Path, options: EdgeOptions | None = None) -> None:
        self.folder = folder
        self.options = options or EdgeOptions()
        self.port = 0
        """The port that apps are served on, known after :meth:`start`."""
        self._record = EdgeRecord()
        self._files = SlotFiles(folder)
        self._loaded = b""
        """What Caddy was given. Not told from the routes alone: another version of rig may have made it."""
        self._rendered: tuple[Slot, ...] | None = None
        """What it was made of, as far as the slots go, if this node has made it: then it need not be made to be
        compared."""
        self._admin = Admin("")
        self._process: EdgeProcess | None = None
        self._listening: Listening | None = None
        self._watch: asyncio.Task[None] | None = None
        # One change at a time: a restart must not come between a load and its record.
        self._lock = asyncio.Lock()

    @property
    def pid(self) -> int:
        return self._record.pid

    @property
    def routes(self) -> tuple[Route, ...]:
        """Those that are served."""
        return self._record.routes

    def url(self, hostname: str) -> str:
        """The address of an app, as a browser takes it."""
        scheme, usual = ("http", 80) if self.options.tls == "off" else ("https", 443)
        return f"{scheme}://{hostname}" + ("" if self.port == usual else f":{self.port}")

    async def start(self) -> bool:
        """Take over the edge that an earlier node left, or start one with the last good routes.

        Gives whether it was taken over. Raises `RigError` ``missing_program``, ``conflict`` (the port is taken),
        ``failed`` (Caddy ended, with what it said).
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._record = self._read_record()
        adopted = await self._adopt()
        if not adopted:
            self._bind()
            try:
                await self._launch()
            except BaseException:
                await self.close()
                raise
        self._watch = asyncio.create_task(self._keep_alive(), name="edge")
        return adopted

    async def apply(self, routes: Iterable[Route]) -> None:
        """Serve exactly these routes. On return they are in force; where it raises, the old ones are.

        Requests, streams and WebSockets that have begun go on with the instance they have, of every app.
        """
        wanted = tuple(routes)
        async with self._lock:
            if not self._running.alive:
                await self._launch()
            fitting = assign(self._record.slots, wanted)
            await self._change(fitting or self._lay_out(wanted), wanted)
            if await self._may_add_spares():
                try:
                    await self._change(self._lay_out(wanted), wanted)
                except RigError as error:
                    log.warning("new slots have to wait: %s", error.message)

    async def _change(self, slots: tuple[Slot, ...], routes: tuple[Route, ...]) -> None:
        """Serve these routes with these slots; load a configuration if the one that there is does not have them."""
        before = self._record
        try:
            self._files.fill(slots, routes)
            failpoint("edge.filled")
            configured = tuple(slot.configured for slot in slots)
            if configured != self._rendered:
                config = await asyncio.to_thread(self._config, slots)
                if config != self._loaded:
                    await self._load(config)
                self._rendered = configured
        except (RigError, OSError):
            self._files.fill(before.slots, before.routes)
            raise
        failpoint("edge.loaded")
        self._keep(msgspec.structs.replace(before, routes=routes, slots=slots))
        self._files.forget(before.slots, slots)

    def _lay_out(self, routes: tuple[Route, ...]) -> tuple[Slot, ...]:
        return lay_out(self._record.slots, routes, self.options.spare_for(len(routes)))

    async def _may_add_spares(self) -> bool:
        """Whether this is the time for new spare slots: many are taken, and nobody is there to be hurt by a loading."""
        spare = self.options.spare_for(len(self._record.routes))
        if sum(not slot.hostname for slot in self._record.slots) >= spare // 2:
            return False
        return not await asyncio.to_thread(self._running.clients_of, self.port)

    async def in_flight(self, *ports: int) -> int:
        """How many connections the edge has to the instances at these ports: requests, streams, WebSockets.

        One that idles counts too, for :data:`rig.node.edge.config.IDLE_SECONDS` at most.
        """
        return await asyncio.to_thread(self._running.connections_to, ports)

    async def drained(self, ports: Iterable[int], timeout: float) -> bool:
        """Wait until nothing runs on these instances any more, at most ``timeout`` seconds; whether that came true."""
        watched = set(ports)
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        await asyncio.sleep(min(SETTLE, timeout))
        while await self.in_flight(*watched):
            if loop.time() >= end:
                return False
            await asyncio.sleep(DRAIN_POLL)
        return True

    async def close(self) -> None:
        """Let go of the edge and leave it serving: the next node takes it over."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def stop(self) -> None:
        """End it. Streams that are open get a few seconds."""
        await self.close()
        if self._process is not None:
            await self._process.end(STOP_PATIENCE)
            self._keep(msgspec.structs.replace(self._record, pid=0, started=0))
            remove_socket(self._record.admin)

    @property
    def _running(self) -> EdgeProcess:
        if self._process is None:
            raise RuntimeError("Edge.start() was not called")
        return self._process

    async def _adopt(self) -> bool:
        """Take over a Caddy that still runs. One that was started in another way, or does not answer, is ended."""
        record = self._record
        process = EdgeProcess(record.pid, record.started)
        if not process.alive:
            # A node may have been killed between the start of one and its note.
            unknown = await asyncio.to_thread(EdgeProcess.find, self._config_path)
            if unknown is not None:
                await unknown.end(STOP_PATIENCE)
            return False
        same = (record.tls, record.domain) == (self.options.tls, self.options.domain)
        same = same and self.options.port in (0, record.port)
        admin = Admin(record.admin, timeout=5)
        if not same or not await admin.answers():
            await process.end(STOP_PATIENCE)
            return False
        self._process, self._admin, self.port = process, Admin(record.admin), record.port
        if self._config_path.exists():
            self._loaded = self._config_path.read_bytes()
        return True

    def _bind(self) -> None:
        if not self.options.inherits:
            if self.options.port:
                raise RigError(
                    "usage",
                    f"The apps of {self.options.domain} are served on ports 80 and 443; there is no choice of port.",
                    "Leave out --port, or --domain.",
                )
            self.port = self.options.https_port
            return
        remembered = self._record.port if self._record.tls == "off" else 0
        self._listening = listen(self.options.port, [port for port in (remembered, DEFAULT_EDGE_PORT) if port])
        self.port = self._listening.port

    async def _launch(self) -> None:
        """Start Caddy with the last good routes, on sockets that this node keeps: while it is being started again,
        connections wait instead of being refused."""
        if self.options.inherits and self._listening is None:
            # The Caddy that was taken over has ended, and its sockets with it.
            self._listening = listen(self.port)
        inherited = self._listening.sockets if self._listening else ()
        path = socket_path(self.folder)
        before = self._record
        record = msgspec.structs.replace(
            before,
            admin=path,
            port=self.port,
            domain=self.options.domain,
            tls=self.options.tls,
            listeners=len(inherited),
            slots=self._lay_out(before.routes),
        )
        self._record, self._rendered = record, None
        known = {slot.id for slot in before.slots}
        self._files.remove_logs(slot for slot in record.slots if slot.id not in known)
        self._files.refill(record.slots, record.routes)
        self._files.forget(before.slots, record.slots)
        self._note(await asyncio.to_thread(self._config, record.slots))
        said_before = log_size(self.folder)
        with bind_socket(path) as admin_socket:
            numbers = [each.fileno() for each in inherited]
            env = {ADMIN_FD: str(admin_socket.fileno())} | dict(zip(LISTEN_FDS, map(str, numbers), strict=False))
            process = EdgeProcess.spawn(
                find_caddy(),
                self._config_path,
                self.folder,
                self.folder / OUTPUT,
                env,
                [admin_socket.fileno(), *numbers],
            )
        failpoint("edge.spawned")
        # On the record before it is known to work, so that a node that ends here leaves no Caddy that nobody knows.
        self._keep(msgspec.structs.replace(record, pid=process.pid, started=process.started))
        self._process, self._admin = process, Admin(path)
        ended = asyncio.ensure_future(process.ended())
        try:
            # Not wait_for: until Python 3.12 it loses a cancellation that comes as its task ends, and close() waits on.
            async with asyncio.timeout(START_TIMEOUT):
                up = await wait_until_answers(self._admin, ended)
        except TimeoutError:
            up = False
        finally:
            ended.cancel()
        if not up:
            await process.end(STOP_PATIENCE)
            raise start_failure(self.folder, said_before)

    async def _keep_alive(self) -> None:
        """Start Caddy again when it has ended, with growing pauses where it keeps ending."""
        pause = FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            await self._running.ended()
            if loop.time() - since > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            log.error("Caddy (pid %d) has ended; it is started again", self.pid)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            async with self._lock:
                if self._running.alive:
                    continue
                try:
                    await self._launch()
                except (RigError, OSError) as error:
                    log.error("Caddy could not be started: %s", error)

    async def _load(self, config: bytes) -> None:
        try:
            await self._admin.load(config)
        except AdminRefused as refusal:
            raise RigError("failed", f"Caddy refused the routes: {refusal}.") from refusal
        except (OSError, TimeoutError) as error:
            raise RigError(
                "unavailable", f"The edge does not answer: {error}.", "`rig node status` tells how it is."
            ) from error
        self._note(config)

    def _note(self, config: bytes) -> None:
        """Keep what Caddy runs with, for the operator and for a later node."""
        write_atomic(self._config_path, config)
        self._loaded = config

    @property
    def _config_path(self) -> Path:
        return self.folder / "caddy.json"

    def _config(self, slots: tuple[Slot, ...]) -> bytes:
        return msgspec.json.encode(render(slots, self.options, self.folder, max(self._record.listeners, 1)))

    def _keep(self, record: EdgeRecord) -> None:
        write_atomic(self.folder / "edge.json", msgspec.json.encode(record))
        self._record = record

    def _read_record(self) -> EdgeRecord:
        path = self.folder / "edge.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=EdgeRecord)
        except FileNotFoundError:
            return EdgeRecord()
        except msgspec.DecodeError as error:
            # The node's journal knows the routes; only a Caddy that still runs is lost sight of.
            log.error("%s is of no use: %s", path, error)
            return EdgeRecord()
