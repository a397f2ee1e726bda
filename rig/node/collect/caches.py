"""Download caches, as builds have written them: nothing in them is trusted to be what pip or npm would leave.

Every folder is reached from the one above it through an open descriptor, and links are never followed: a build that
plants one cannot have the node remove something elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.node.collect.model import Download

DEPTH = 12
"""Folders below one another; pip and npm make less than eight."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Odd(Exception):
    """It is no download cache: too deep, or with a folder that cannot be opened."""


def downloads(cache: Path) -> list[Download]:
    """Every file of a cache. Raises `Odd`."""
    found: list[Download] = []
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        if folder.count(b"/") >= DEPTH:
            raise Odd
        try:
            with _opened(cache, folder) as fd, os.scandir(fd) as entries:
                for entry in entries:
                    path = folder + os.fsencode(entry.name)
                    about = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(about.st_mode):
                        waiting.append(path + b"/")
                    else:
                        # Most systems keep the time of a read only to the day, which is enough here.
                        used = int(max(about.st_atime, about.st_mtime))
                        found.append(Download(path, about.st_blocks * 512, used))
        except FileNotFoundError:
            continue  # gone since it was listed
        except OSError as error:
            raise Odd from error
    return found


def remove(cache: Path, going: Iterable[Download]) -> None:
    """Remove files of a cache; those that are gone already are not missed."""
    by_folder: dict[bytes, list[bytes]] = defaultdict(list)
    for each in going:
        folder, slash, name = each.path.rpartition(b"/")
        by_folder[folder + slash].append(name)
    for folder, names in by_folder.items():
        with contextlib.suppress(OSError), _opened(cache, folder) as fd:
            for name in names:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=fd)


@contextmanager
def _opened(cache: Path, folder: bytes) -> Iterator[int]:
    """A descriptor of a folder in the cache; ``folder`` is empty or ends with a slash."""
    fd = os.open(cache, _FOLDER)
    try:
        for name in folder.split(b"/")[:-1]:
            below = os.open(name, _FOLDER, dir_fd=fd)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)
