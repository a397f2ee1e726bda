"""Caddy's admin API (https://caddyserver.com/docs/api), over a Unix socket that only the node's user can open."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any

import aiohttp

from rig.kernel.errors import RigError

PATH_LIMIT = 100
"""Bytes. sun_path holds 108 on Linux and 104 on macOS, the closing zero included."""

MAX_ANSWER = 8 * 1024 * 1024


class AdminRefused(Exception):
    """Caddy answered that it will not; the text says why."""


class Admin:
    """A client of one admin socket. Every call raises `OSError` or `TimeoutError` where nobody answers."""

    def __init__(self, path: str, timeout: float = 30) -> None:
        self.path = path
        self.timeout = aiohttp.ClientTimeout(total=timeout)

    async def load(self, config: bytes) -> None:
        """Replace the whole configuration; the old one stays in force where this raises `AdminRefused`."""
        await self._request("POST", "/load", config)

    async def answers(self) -> bool:
        """Whether a Caddy is there."""
        try:
            await self._request("GET", "/config/admin")
        except (OSError, TimeoutError, AdminRefused):
            return False
        return True

    async def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = {"Content-Type": "application/json"}
        connector = aiohttp.UnixConnector(self.path, force_close=True)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=self.timeout) as session,
                session.request(method, f"http://localhost{path}", data=body, headers=headers) as response,
            ):
                answer = await response.content.read(MAX_ANSWER)
                if response.status != 200:
                    raise AdminRefused(answer.decode(errors="replace").strip())
                return answer
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error)) from error


def socket_path(folder: Path) -> str:
    """Where the admin socket of the edge in ``folder`` lies: in it, or in a private folder where that is too long."""
    path = folder / "admin.sock"
    if len(os.fsencode(path)) <= PATH_LIMIT:
        return str(path)
    short = hashlib.sha256(os.fsencode(folder)).hexdigest()[:20]
    return str(_private_folder() / f"{short}.sock")


def bind_socket(path: str) -> socket.socket:
    """Listen on ``path``, mode 0600, in place of whatever socket was left there."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        Path(path).unlink(missing_ok=True)
        # The folder is 0700, so nobody gets in between these two.
        made.bind(path)
        os.chmod(path, 0o600)
        made.listen(64)
    except OSError:
        made.close()
        raise
    return made


def remove_socket(path: str) -> None:
    Path(path).unlink(missing_ok=True)


def _private_folder() -> Path:
    """A folder of this user's alone, with a short path. Anybody can make names in the temporary folder, so one that is
    there already has to prove itself."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = runtime if runtime and len(runtime) < PATH_LIMIT // 2 else tempfile.gettempdir()
    folder = Path(base) / f"rig-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != 0o700:
            raise RigError(
                "bad_config",
                f"{folder} has to be a folder that is yours alone (mode 0700), and it is not.",
                f"Remove it, or choose a shorter RIG_HOME: `rm -r {folder}`.",
            ) from None
    return folder


async def wait_until_answers(admin: Admin, ended: asyncio.Future[None]) -> bool:
    """Whether Caddy answered before it ended."""
    asked = asyncio.create_task(admin.answers())
    waited: set[asyncio.Future[Any]] = {asked, ended}
    try:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        return asked.done() and asked.result()
    finally:
        asked.cancel()
