"""What is left of apps and networks that were deleted: put away before their names are taken again.

That happens when an app is taken down, and when a node starts after one that was killed meanwhile. What still turns up
goes with a collection, by the same steps.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from rig.node.bundles.stores import Stores
from rig.node.collect.survey import apps_on_disk
from rig.node.paths import NodePaths
from rig.node.runtime.removal import free, put_away
from rig.node.world import World


def put_away_app(paths: NodePaths, app: str) -> Path | None:
    """Put away the folder of an app; gives its new place, None where there was none. Raises `OSError`."""
    return put_away(paths.app(app), paths.removed)


def put_away_gone(paths: NodePaths, world: World, stores: Stores) -> None:
    """The same for every app that does not exist, and the sources of every network that was deleted.

    Sources of a network that never was stay: a first deployment sends them ahead of it. Raises `OSError`.
    """
    for app in sorted(apps_on_disk(paths)):
        if not world.exists(app):
            put_away_app(paths, app)
    for name, network in world.networks.items():
        if not network.exists:
            stores.remove(name)


class Freeing:
    """Frees the disk of what was put away. Of many that ask for it at once, one does it for all."""

    def __init__(self, paths: NodePaths) -> None:
        self._removed = paths.removed
        self._turn = asyncio.Lock()
        self._waiting = False
        self._stopped = threading.Event()

    async def __call__(self) -> None:
        """Return when it is done, or when somebody else is about to do it."""
        if self._waiting:
            return
        self._waiting = True
        async with self._turn:
            self._waiting = False
            await asyncio.to_thread(free, self._removed, self._stopped.is_set)

    def stop(self) -> None:
        """Let it be after what is being removed now: the rest goes with the next node."""
        self._stopped.set()
