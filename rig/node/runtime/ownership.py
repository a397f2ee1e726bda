"""Hands folders over to the user of an app's runs, where the node is root."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def hand_over(path: Path, uid: int) -> None:
    """Make ``uid`` the owner of ``path`` and of all below it. Nothing is done where it owns ``path`` already.

    Links are not followed, neither at the end nor on the way: what stands below may have been written by an app. The
    top is done last, so that a hand-over that was cut off is done again.
    """
    if path.stat().st_uid == uid:
        return
    if stat.S_ISDIR(path.stat().st_mode):
        for _, folders, files, folder in os.fwalk(path, follow_symlinks=False):
            for name in (*folders, *files):
                os.chown(name, uid, uid, dir_fd=folder, follow_symlinks=False)
    os.chown(path, uid, uid, follow_symlinks=False)
