"""Removes what somebody else's programs have written: out of the way at once, and off the disk when there is time.

A folder that was renamed into ``removed/`` is no longer part of anything; freeing its blocks may take as long as it
likes, and goes on with the next node where this one ends meanwhile.
"""

from __future__ import annotations

import errno
import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from rig.kernel.ids import uuid7

log = logging.getLogger("rig.node.removal")

_REMOVE = ("/bin/rm", "-rf", "--")
_PERMIT = ("/bin/chmod", "-R", "u+rwx", "--")


def remove_tree(path: Path) -> None:
    """Remove a folder and all below it; nothing where there is none. Links are not followed.

    By rm(1), because a tree can be made deeper than Python's stack and a process' descriptors reach. Where the node is
    not root, a folder without permissions keeps its files until it is given some. Raises `OSError` where it stays.
    """
    for command in (_REMOVE, _PERMIT, _REMOVE):
        if not os.path.lexists(path):
            return
        subprocess.run([*command, path], stdin=subprocess.DEVNULL, capture_output=True, env={}, cwd="/", check=False)
    if os.path.lexists(path):
        raise OSError(errno.ENOTEMPTY, "It cannot be removed", str(path))


def put_away(path: Path, removed: Path) -> Path | None:
    """Move something into ``removed``, where nobody looks for it; gives its new place, None where it is not there.

    It takes no time. Raises `OSError`.
    """
    removed.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = removed / uuid7()
    try:
        try:
            path.rename(target)
        except PermissionError:
            # A folder that moves gets another parent written into it, and its owner may have taken that right away.
            path.chmod(0o700)
            path.rename(target)
    except FileNotFoundError:
        return None
    return target


def free(removed: Path, stop: Callable[[], bool] = lambda: False) -> None:
    """Free the disk of what was put away, until it is to stop. What cannot be removed is logged, and tried again."""
    try:
        places = sorted(removed.iterdir())
    except FileNotFoundError:
        return
    for place in places:
        if stop():
            return
        try:
            remove_tree(place)
        except OSError as error:
            log.error("%s cannot be removed: %s", place, error.strerror)
