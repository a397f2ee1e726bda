"""Locks between processes. The operating system lets go of one when its holder dies, however that happens."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rig.kernel.errors import RigError


@contextmanager
def locked(path: str, timeout: float = 30.0) -> Iterator[None]:
    """Hold the lock of ``path``, a file that is made for it and stays, for the length of the block.

    Raises `RigError` ``locked`` where another process holds it for more than ``timeout`` seconds.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + timeout
        while not _try(handle):
            if time.monotonic() >= deadline:
                raise RigError(
                    "locked",
                    f"Another rig has held {path} for {timeout:g} seconds.",
                    "Wait for it to end, or end it, and try again.",
                )
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _try(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try(handle: int) -> bool:
        try:
            # flock, not lockf: it belongs to this opening of the file, so threads exclude each other too.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
