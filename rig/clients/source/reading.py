"""Reads files that may change at any moment: what comes out was in the file at one time, or there is an error."""

from __future__ import annotations

import os
import stat as st
from collections.abc import Callable
from hashlib import sha256

from rig.clients.source.statcache import Stat
from rig.clients.source.tree import show
from rig.kernel.errors import RigError

ATTEMPTS = 3
CHUNK = 1 << 20
"""Bytes from which a file is large."""
BUFFER = 256 << 10
"""Bytes of a large file that are in memory at a time."""
# A pipe that took the place of a file must not block the open, nor a symlink be followed.
READ_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)


class Gone(Exception):
    """The file is no longer there, or no longer a file."""


def stat_of(name: bytes, result: os.stat_result) -> Stat:
    return (name, result.st_mode, result.st_size, result.st_mtime_ns, result.st_ctime_ns, result.st_ino)


def hash_file(
    full: bytes, stat: Stat, look: Callable[[bytes, bytes], bool] = lambda name, content: False
) -> tuple[Stat, bytes, bool]:
    """The SHA-256 of a file, and the stat for which it holds: ``stat``, unless the file changed since.

    ``look`` is shown the name and the content of a file that is not large; what it says comes third.
    """
    for _ in range(ATTEMPTS):
        size = stat[2]
        try:
            fd = os.open(full, READ_FLAGS)
        except FileNotFoundError as error:
            raise Gone from error
        except OSError as error:
            if os.path.islink(full):
                raise Gone from error
            raise unreadable(full, error) from error
        try:
            if size < CHUNK:
                data = os.read(fd, size + 1)
                length, digest = len(data), sha256(data).digest()
            else:
                data = b""
                length, digest = _digest(fd)
            now = stat_of(stat[0], os.fstat(fd))
        except OSError as error:
            raise unreadable(full, error) from error
        finally:
            os.close(fd)
        if not st.S_ISREG(now[1]):
            raise Gone
        # What was so before the file was opened, and is so after it was read, was so all the time.
        if length == size and _same(now, stat):
            return stat, digest, look(stat[0], data) if data else False
        stat = now
    raise RigError(
        "conflict",
        f"`{show(full)}` keeps changing while it is read.",
        "Stop what writes to it, or list it in .rigignore.",
    )


def _same(now: Stat, before: Stat) -> bool:
    # Windows has no inode and no mode for a name, but for a handle.
    return now == before or (os.name == "nt" and now[2:4] == before[2:4])


def _digest(fd: int) -> tuple[int, bytes]:
    """The length of a large file and its hash."""
    digest, length = sha256(), 0
    buffer = memoryview(bytearray(BUFFER))
    with open(fd, "rb", buffering=0, closefd=False) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            length += count
    return length, digest.digest()


def read_link(full: bytes) -> bytes:
    """The target of a symlink, with ``/`` between its parts on every system."""
    try:
        target = os.readlink(full)
    except OSError as error:
        raise Gone from error
    return target.replace(os.sep.encode(), b"/") if os.sep != "/" else target


def unreadable(full: bytes, error: OSError) -> RigError:
    """The error for a file or folder of the source that cannot be read."""
    return RigError(
        "failed",
        f"`{show(full)}` cannot be read: {error.strerror or error}.",
        "Make it readable, or list it in .rigignore.",
        path=show(full),
    )
