"""The Caddy process: started so that it outlives the node, and watched whoever started it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rig.kernel.processes import alive, start_time
from rig.node.processes import until_ended


class EdgeProcess:
    """One Caddy, of this node or of one before it."""

    def __init__(self, pid: int, started: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self.started = started
        self._child = child

    @classmethod
    def spawn(
        cls, program: Path, config: Path, folder: Path, output: Path, env: Mapping[str, str], fds: Sequence[int]
    ) -> EdgeProcess:
        """Start ``caddy run`` in a session of its own, with all of its state under ``folder``.

        ``output`` takes what it says before its own logs are open. ``fds`` are inherited. Raises `OSError`.
        """
        own = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}
        output.unlink(missing_ok=True)
        with open(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as log:
            child = subprocess.Popen(
                [str(program), "run", "--config", str(config)],
                cwd=folder,
                env={"PATH": os.defpath, **own, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=tuple(fds),
                start_new_session=True,
            )
        return cls(child.pid, start_time(child.pid), child)

    @classmethod
    def find(cls, config: Path) -> EdgeProcess | None:
        """A Caddy of this user's that was started with this configuration, whichever node did it."""
        import psutil  # type: ignore[import-untyped]

        for process in psutil.process_iter(["cmdline", "uids"]):
            command, owner = process.info["cmdline"] or [], process.info["uids"]
            if command[1:] == ["run", "--config", str(config)] and owner.real == os.getuid():
                return cls(process.pid, start_time(process.pid))
        return None

    @property
    def alive(self) -> bool:
        return alive(self.pid, self.started)

    def connections_to(self, ports: Collection[int]) -> int:
        """How many established TCP connections the process has to these ports on 127.0.0.1; 0 where it has ended."""
        return sum(host == "127.0.0.1" and port in ports for _, (host, port) in self._connections())

    def clients_of(self, port: int) -> int:
        """How many others have to the process, on this port of its own."""
        return sum(local[1] == port for local, _ in self._connections())

    def _connections(self) -> list[tuple[tuple[str, int], tuple[str, int]]]:
        """Both addresses of each established TCP connection."""
        import psutil

        try:
            found = psutil.Process(self.pid).net_connections("tcp") if self.alive else []
        except psutil.NoSuchProcess:
            return []
        except psutil.AccessDenied:
            # A Caddy that was given capabilities hides its descriptors from its own user too. What all processes of the
            # machine are connected to is no secret.
            found = psutil.net_connections("tcp")
        return [(each.laddr, each.raddr) for each in found if each.status == psutil.CONN_ESTABLISHED]

    async def ended(self) -> None:
        """Return when the process has ended, and leave no zombie."""
        await until_ended(self.pid, lambda: self.alive)
        if self._child is not None:
            self._child.wait()

    async def end(self, patience: float) -> None:
        """SIGTERM, and SIGKILL after ``patience`` seconds: Caddy waits for open streams, and those have no end."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.alive:
                break
            os.kill(self.pid, number)
            try:
                async with asyncio.timeout(patience):
                    await self.ended()
            except TimeoutError:
                continue
        await self.ended()
