"""Puts away what goes, and measures it: freeing the disk of it comes last, see `rig.node.runtime.removal`."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rig.node.builder.layers import stamp_of
from rig.node.collect.model import Verdict
from rig.node.paths import NodePaths
from rig.node.runtime.removal import put_away

log = logging.getLogger("rig.node.collect")


def move_away(paths: NodePaths, verdicts: Iterable[Verdict]) -> list[tuple[Verdict, Path]]:
    """Move what goes to where nobody looks for it; gives each with its new place. What is gone already is left out."""
    moved = []
    for verdict in verdicts:
        if verdict.found.kind == "layer":
            # Before the folder: a stamp without one would vouch for nothing.
            stamp_of(verdict.found.path).unlink(missing_ok=True)
        try:
            place = put_away(verdict.found.path, paths.removed)
        except OSError as error:
            log.error("%s cannot be moved away: %s", verdict.found.path, error.strerror)
            continue
        if place is not None:
            moved.append((verdict, place))
    return moved


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
