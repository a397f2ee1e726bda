"""What a disk that refuses means to a user. Neither a full disk nor a missing permission is a bug in rig."""

from __future__ import annotations

import errno
import os

from rig.kernel.errors import RigError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SQLITE_FULL = ("SQLITE_FULL", "SQLITE_IOERR")
ROOM = 1 << 20
"""Bytes. A disk with less counts as full: what failed may have failed for want of more."""


def is_short(folder: str | os.PathLike[str]) -> bool:
    """Whether the disk that a folder lies on has next to nothing left."""
    import shutil

    return shutil.disk_usage(folder).free < ROOM


def is_full(error: BaseException) -> bool:
    """Whether a disk, a quota or a limit on file sizes took nothing more. `error` may be SQLite's, too."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    return getattr(error, "sqlite_errorname", "").startswith(_SQLITE_FULL)


def disk_error(error: BaseException) -> RigError | None:
    """The error to show for one that the disk is behind; None for any other."""
    named = isinstance(error, OSError) and error.filename is not None and not isinstance(error.filename, int)
    where = f" {os.fsdecode(error.filename)}" if isinstance(error, OSError) and named else ""
    if is_full(error):
        return RigError(
            "unavailable", f"The disk takes nothing more{where and ':' + where}.", "Make room and try again."
        )
    if isinstance(error, OSError) and named:
        reason = os.strerror(error.errno) if error.errno else str(error)
        return RigError("failed", f"There is a problem with{where}: {reason}.", "Look at that file and its folder.")
    return None
