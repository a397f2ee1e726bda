"""Files that are whole or not there."""

from __future__ import annotations

import os
import sys
from _thread import get_ident  # threading itself would cost a short command its time

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
"""On Windows there are no links to be led by, and bytes that are not called binary are translated."""


def write_atomic(path: str | os.PathLike[str], data: bytes, mode: int = 0o600, durable: bool = True) -> None:
    """Replace ``path`` by ``data``: a reader sees the old file or the new one.

    So does, where it is ``durable``, a machine that loses power; it has the new one after this has returned. The folder
    must exist. Raises `OSError`.
    """
    target = os.fspath(path)
    temporary = f"{target}.{os.getpid()}-{get_ident():x}.tmp"
    descriptor = os.open(temporary, _FLAGS, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    if durable:
        sync_folder(os.path.dirname(target) or ".")


def sync_folder(path: str | os.PathLike[str]) -> None:
    """Bring the names in a folder to the disk. Windows has no such call, and needs none. Raises `OSError`."""
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
