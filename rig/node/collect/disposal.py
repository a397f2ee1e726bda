"""Gets things off the disk in two steps: out of the way at once, and gone when there is time for it.

A folder that was renamed into ``removed/`` is no longer part of anything; freeing its blocks may take as long as it
likes, and goes on with the next node where this one ends meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rig.kernel.ids import uuid7
from rig.node.collect.model import Verdict
from rig.node.collect.survey import stamp_of
from rig.node.paths import NodePaths
from rig.node.runtime.removal import remove_tree

log = logging.getLogger("rig.node.collect")


def move_away(paths: NodePaths, verdicts: Iterable[Verdict]) -> list[tuple[Verdict, Path]]:
    """Move what goes to where nobody looks for it; gives each with its new place. What is gone already is left out."""
    moved = []
    for verdict in verdicts:
        if verdict.found.kind == "layer":
            # Before the folder: a stamp without one would vouch for nothing.
            stamp_of(verdict.found.path).unlink(missing_ok=True)
        target = paths.removed / uuid7()
        try:
            _rename(verdict.found.path, target)
        except FileNotFoundError:
            continue
        except OSError as error:
            log.error("%s cannot be moved away: %s", verdict.found.path, error.strerror)
            continue
        moved.append((verdict, target))
    return moved


def _rename(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        source.rename(target)
    except PermissionError:
        # A folder that moves gets another parent written into it, and its builder may have taken that right away.
        source.chmod(0o700)
        source.rename(target)


def measure(places: Iterable[Path], seconds: float, stop: Callable[[], bool]) -> dict[Path, int]:
    """Bytes on the disk of each, as far as they can be told within ``seconds``.

    By du(1), as the depth of a folder is up to whoever wrote it.
    """
    sizes: dict[Path, int] = {}
    deadline = time.monotonic() + seconds
    for place in places:
        left = deadline - time.monotonic()
        if left <= 0 or stop():
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                ["/usr/bin/du", "-sk", "--", place],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                timeout=left,
                check=False,
            )
            size = done.stdout.partition(b"\t")[0]
            sizes[place] = int(size) * 1024 if size.isdigit() else 0
    return sizes


def free(places: Iterable[Path], stop: Callable[[], bool]) -> None:
    """Free the disk of what was moved away, until it is to stop."""
    for place in places:
        if stop():
            return
        try:
            remove_tree(place)
        except OSError as error:
            log.error("%s cannot be removed: %s", place, error.strerror)
