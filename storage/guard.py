"""Lets a process do nothing but read: no network, no program, no other file written.

It hangs on the interpreter's audit events (PEP 578) and cannot be taken off again, so it belongs into a process of its
own. It is a net under code that should have no effects, not a wall around code that wants some.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

DENIED = (
    "ctypes.", "ftplib.", "http.", "imaplib.", "nntplib.", "os.chflags", "os.chmod", "os.chown", "os.exec", "os.fork",
    "os.kill", "os.link", "os.lockf", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove", "os.removexattr",
    "os.rename", "os.rmdir", "os.setxattr", "os.spawn", "os.startfile", "os.symlink", "os.system", "os.truncate",
    "os.unsetenv", "os.utime", "poplib.", "pty.", "shutil.", "smtplib.", "socket.", "sqlite3.enable_load_extension",
    "sqlite3.load_extension", "subprocess.", "sys.remote_exec", "telnetlib.", "tempfile.", "urllib.", "webbrowser.",
    "winreg.",
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
ROOMS = ("handlers.", "rig.agent", "rig.bootstrap", "rig.cli", "rig.clients", "rig.node")
"""What acts. Nothing of it may even be imported."""


class Forbidden(RuntimeError):
    """Something with an effect was tried."""


def stand_guard() -> None:
    """From now on, and to its end, this process only reads, computes, and prints to what is open."""
    sys.dont_write_bytecode = True
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(DENIED):
        raise Forbidden(f"{event} is not allowed here")
    check = _CHECKS.get(event)
    if check is not None:
        check(arguments)


def _check_open(arguments: tuple[Any, ...]) -> None:
    path, _, flags = arguments
    # A number is a file that was opened before.
    if not isinstance(path, int) and flags & WRITING:
        raise Forbidden(f"{path} may not be opened for writing here")


def _check_import(arguments: tuple[Any, ...]) -> None:
    if str(arguments[0]).startswith(ROOMS):
        raise Forbidden(f"{arguments[0]} may not be imported here")


def _check_connect(arguments: tuple[Any, ...]) -> None:
    if arguments[0] != ":memory:":
        raise Forbidden("no database but one in memory may be opened here")


_CHECKS: dict[str, Callable[[tuple[Any, ...]], None]] = {
    "import": _check_import,
    "open": _check_open,
    "sqlite3.connect": _check_connect,
}
