"""Files that are whole or not there."""

from __future__ import annotations

import os
import sys
import time
from _thread import get_ident  # threading itself would cost a short command its time
from collections.abc import Iterable

from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
"""On Windows there are no links to be led by, and bytes that are not called binary are translated."""

UNFINISHED_SECONDS = 3600
"""After this long nobody is going to finish a write. By age: a pid may be one of another container's."""


def write_atomic(
    path: str | os.PathLike[str], data: bytes | Iterable[bytes], mode: int = 0o600, durable: bool = True
) -> None:
    """Replace ``path`` by ``data``, in one piece or several: a reader sees the old file or the new one.

    So does, where it is ``durable``, a machine that loses power; it has the new one after this has returned. The folder
    must exist. Raises `OSError`.
    """
    target = os.fspath(path)
    _remove_unfinished(target)
    temporary = f"{target}.{os.getpid()}-{get_ident():x}.tmp"
    descriptor = os.open(temporary, _FLAGS, mode)
    try:
        with open(descriptor, "wb") as file:
            file.writelines((data,) if isinstance(data, bytes) else data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        failpoint("file.written")
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    if durable:
        sync_folder(os.path.dirname(target) or ".")


def require_absent(path: str) -> None:
    """Raises `RigError` ``already_exists`` where something has this name, a link that leads nowhere among it."""
    if os.path.lexists(path):
        raise RigError(
            "already_exists", f"{path} is there already.", "Name another file, or replace that one: `--overwrite`."
        )


def _remove_unfinished(target: str) -> None:
    """Remove what processes that were killed in the middle of a write have left beside ``target``."""
    folder, name = os.path.split(target)
    for entry in os.listdir(folder or "."):
        if entry.startswith(f"{name}.") and entry.endswith(".tmp"):
            path = os.path.join(folder, entry)
            try:
                if time.time() - os.stat(path).st_mtime > UNFINISHED_SECONDS:
                    os.unlink(path)
            except FileNotFoundError:
                continue  # it was finished, or removed by somebody else


def sync_folder(path: str | os.PathLike[str]) -> None:
    """Bring the names in a folder to the disk. Windows has no such call, and needs none. Raises `OSError`."""
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def private_folder(path: str) -> str:
    """Make a folder and those above it that are missing, none of them open to anybody else; gives its path.

    Raises `OSError`, and `RigError` ``bad_config`` for a folder in which somebody else could put or replace files, as
    one that all may write to: they could plant a key, or a login to a platform of theirs.
    """
    missing = [path]
    while (above := os.path.dirname(missing[-1])) and not os.path.isdir(above):
        missing.append(above)
    # One by one: makedirs would give the mode to the last one alone.
    for folder in reversed(missing):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    if sys.platform != "win32":
        status = os.stat(path)
        if status.st_mode & 0o002:
            raise _shared(f"Every user of this machine may write to {path}", f"Close it: `chmod o-w {path}`")
        if status.st_uid not in {0, os.geteuid()}:
            raise _shared(f"{path} belongs to another user", "Take one of your own")
    return path


def _shared(what: str, mend: str) -> RigError:
    return RigError(
        "bad_config", f"{what}, so nothing that is kept there is safe.", f"{mend}, or set RIG_HOME to another folder."
    )
