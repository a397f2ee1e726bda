"""Removes what somebody else's programs have written."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

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
