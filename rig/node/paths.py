"""Where the node keeps what: one folder, mode 0700, under RIG_HOME."""

from __future__ import annotations

from pathlib import Path

import msgspec

from rig.contract.names import split_app


class NodePaths(msgspec.Struct, frozen=True):
    """The folders and files of a node. Nothing is made here; who needs a folder makes it, mode 0700."""

    root: Path
    """``RIG_HOME/node``."""

    @property
    def journal(self) -> Path:
        """The node's journal; its key stands beside it."""
        return self.root / "journal.sqlite"

    @property
    def witnessed(self) -> Path:
        """The newest checkpoint of each client's journal."""
        return self.root / "witnessed"

    @property
    def credentials(self) -> Path:
        """People, invitations and token hashes. Never in the journal."""
        return self.root / "credentials.sqlite"

    @property
    def secrets(self) -> Path:
        """Values of secrets, encrypted; :attr:`secrets_key` is what they cannot be read without."""
        return self.root / "secrets.sqlite"

    @property
    def secrets_key(self) -> Path:
        """0600: the node's own key."""
        return self.root / "secrets.key"

    @property
    def bootstrap_secret(self) -> Path:
        """0600: whoever can read it is the owner of the embedded node."""
        return self.root / "bootstrap.secret"

    @property
    def state(self) -> Path:
        """What `rig node start` wrote: addresses, pid and start time of the node that runs (or ran last)."""
        return self.root / "node.json"

    @property
    def log(self) -> Path:
        return self.root / "node.log"

    @property
    def edge(self) -> Path:
        """Caddy's configuration, certificates, admin socket and output."""
        return self.root / "edge"

    @property
    def networks(self) -> Path:
        return self.root / "networks"

    def network(self, network: str) -> Path:
        return self.networks / network

    def store(self, network: str) -> Path:
        """Contents and directories of the bundles of one network; networks never share them."""
        return self.network(network) / "store"

    @property
    def removed(self) -> Path:
        """What nothing needs any more, on its way off the disk."""
        return self.root / "removed"

    def app(self, name: str) -> Path:
        """``builds/``, ``cache/``, ``home/``, ``logs/``, ``releases/`` and ``run/`` of ``network/app``."""
        network, app = split_app(name)
        return self.network(network) / "apps" / app
