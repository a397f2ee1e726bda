"""What is left of apps and networks that were deleted: put away before their names are taken again.

That happens when an app is taken down, and when a node starts after one that was killed meanwhile. What still turns up
goes with a collection, by the same steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from rig.contract.names import split_app
from rig.node.collect.survey import apps_on_disk
from rig.node.paths import NodePaths
from rig.node.runtime.removal import put_away
from rig.node.world import World


class Stores(Protocol):
    """The bundles of each network."""

    def remove(self, network: str) -> None:
        """Forget all bundles of a network."""
        ...


def put_away_app(paths: NodePaths, app: str) -> Path | None:
    """Put away the folder of an app; gives its new place, None where there was none. Raises `OSError`."""
    return put_away(paths.app(*split_app(app)), paths.removed)


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
