"""The bundle stores of a node, one for each network: networks never share one."""

from __future__ import annotations

import threading

from rig.kernel.errors import RigError
from rig.node.bundles.store import Store
from rig.node.paths import NodePaths
from rig.node.runtime.removal import put_away


class Stores:
    """Opens each store once. Safe to use from several threads."""

    def __init__(self, paths: NodePaths) -> None:
        self._paths = paths
        self._stores: dict[str, Store] = {}
        self._lock = threading.Lock()

    def __call__(self, network: str) -> Store:
        # A store that is opened a second time would remove what the first one is about to take in.
        with self._lock:
            if network not in self._stores:
                self._stores[network] = Store(self._paths.store(network))
            return self._stores[network]

    def complete(self, network: str, bundle: str) -> bool:
        """Whether a bundle was committed; if so, it stays for a day at least, until a release needs it."""
        try:
            self(network).claim(bundle)
        except RigError as error:
            if error.code != "not_found":
                raise
            return False
        return True

    def remove(self, network: str) -> None:
        """Forget all bundles of a network: the next one of its name begins with nothing. It takes no time."""
        with self._lock:
            store = self._stores.pop(network, None)
            if store is not None:
                store.close()
            put_away(self._paths.store(network), self._paths.removed)

    def close(self) -> None:
        for store in self._stores.values():
            store.close()
