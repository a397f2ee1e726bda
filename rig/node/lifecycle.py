"""The life of a node process: one per folder, known by ``node.json``, ended by a signal.

A node that can be told from a dead one by pid and start time holds the lock of its folder from first to last::

    with Lifecycle(paths) as life:
        signals = stop_requested()
        …
        life.ready(api=…, edge=…, …)
        everything = await signals == "everything"
        …
        life.ended(everything=everything)
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Literal

import msgspec

import rig
from rig.contract.node import DEFAULT_API_PORT, ERROR_FILE, NodeState
from rig.kernel.errors import RigError
from rig.kernel.files import private_folder, write_atomic
from rig.kernel.ids import rfc3339
from rig.kernel.node_state import read_state
from rig.kernel.processes import start_time
from rig.node.paths import NodePaths
from rig.node.sockets import Listening, listen

Stop = Literal["node", "everything"]


class Lifecycle:
    """The node of one folder. A context manager: it holds the folder's lock, and tells clients why a start failed."""

    def __init__(self, paths: NodePaths) -> None:
        self.paths = paths
        self.previous: NodeState | None = None
        """What the node before this one wrote: its ports, domain and isolation."""
        self._state = NodeState(pid=os.getpid(), started=start_time(os.getpid()), version=rig.__version__)
        self._lock = -1

    def __enter__(self) -> Lifecycle:
        """Raises `RigError` ``locked`` where a node runs in this folder."""
        for folder in (self.paths.root, self.paths.networks):
            private_folder(str(folder))
        self._lock = os.open(self.paths.root / "node.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # POSIX locks are the process's own. One by flock(2) would live on in whatever the node forks and leaves
            # running, and no later node could start.
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise RigError(
                "locked",
                f"A node runs already in {self.paths.root}.",
                "`rig node status` shows it, `rig node stop` ends it.",
            ) from error
        self.previous = read_state(self.paths.root)
        if self.previous is not None:
            kept = self.previous
            self._state = msgspec.structs.replace(
                self._state,
                api_port=kept.api_port,
                edge_port=kept.edge_port,
                domain=kept.domain,
                isolation=kept.isolation,
                releases=kept.releases,
            )
        # From here on apps may run, even if this process is killed.
        self._write(msgspec.structs.replace(self._state, serving=True))
        return self

    def listen_api(self, explicit: int) -> Listening:
        """Sockets for the API: on the port asked for, else on the one used before, else on the default, else on any."""
        before = self.previous.api_port if self.previous else 0
        likely = [port for port in (before, DEFAULT_API_PORT) if port]
        return listen(explicit, likely, flag="--api-port")

    def ready(
        self,
        *,
        api: str,
        edge: str,
        api_port: int,
        edge_port: int,
        domain: str,
        isolation: str,
        releases: int,
        problems: Sequence[str] = (),
    ) -> NodeState:
        """Tell the world that the API listens."""
        self._write(
            msgspec.structs.replace(
                self._state,
                api=api,
                edge=edge,
                api_port=api_port,
                edge_port=edge_port,
                domain=domain,
                isolation=isolation,
                releases=releases,
                problems=list(problems),
                ready_at=rfc3339(time.time_ns()),
            )
        )
        return self._state

    def ended(self, *, everything: bool) -> None:
        """Tell the world that this node is over, and whether apps and edge have ended with it."""
        self._write(msgspec.structs.replace(self._state, pid=0, started=0, api="", ready_at="", serving=not everything))

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(raised, RigError):
            write_atomic(self.paths.root / ERROR_FILE, msgspec.json.encode(raised.body()))
        os.close(self._lock)

    def _write(self, state: NodeState) -> None:
        write_atomic(self.paths.state, msgspec.json.encode(state))
        self._state = state


def stop_requested() -> asyncio.Future[Stop]:
    """A future that the first signal fulfils; call it before anything is started that has to be stopped.

    SIGINT (Ctrl-C, `rig node stop`): everything is to end. SIGTERM (a service manager, `rig node stop --keep-apps`) and
    SIGHUP: the node alone; apps and edge go on, and the next node takes them over.
    """
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[Stop] = loop.create_future()

    def ask(how: Stop) -> None:
        if not asked.done():
            asked.set_result(how)

    loop.add_signal_handler(signal.SIGINT, ask, "everything")
    loop.add_signal_handler(signal.SIGTERM, ask, "node")
    loop.add_signal_handler(signal.SIGHUP, ask, "node")
    return asked
