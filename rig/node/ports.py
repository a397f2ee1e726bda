"""What the node's handlers may reach. One object for each request, since it knows who asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rig.contract.apps import Instance
from rig.contract.collect import Collection
from rig.contract.releases import LogLine, Phase
from rig.kernel.context import Context
from rig.kernel.errors import RigError
from rig.kernel.evidence import Evidence
from rig.node.accounts.accounts import Accounts
from rig.node.accounts.principal import Principal
from rig.node.collect.model import Retention
from rig.node.runtime.driver import IsolationName
from rig.node.world import World
from storage.witness import Witness


class Bundles(Protocol):
    """Which bundles are on the node."""

    def complete(self, network: str, bundle: str) -> bool:
        """Whether this one is there, whole."""
        ...

    def remove(self, network: str) -> None:
        """Forget all bundles of a network."""
        ...


class Runtime(Protocol):
    """What runs now, and what is being made."""

    def instances(self, app: str) -> list[Instance]: ...

    def phase(self, app: str) -> Phase:
        """How far the release is that is being made; ``queued`` before it is begun."""
        ...

    def waiting(self) -> int:
        """How many releases wait until fewer are being made."""
        ...

    def working(self, app: str) -> str:
        """What is being done to an app besides a release: ``restarting``, say; empty for nothing."""
        ...

    def problem(self, app: str) -> RigError | None:
        """Why what was done to an app last, or its start with the node, did not come off."""
        ...


class BuildLogs(Protocol):
    """Kept build output."""

    def lines(self, app: str, version: int, after: int, limit: int) -> tuple[list[LogLine], bool]:
        """Up to ``limit`` lines after the first ``after`` ones, and whether nothing will follow them."""
        ...


class Builds(Protocol):
    """Which builds the node still has."""

    def has(self, app: str, build: str) -> bool:
        """Whether a build is there and complete: it was not collected."""
        ...

    def made(self, app: str, build: str) -> int:
        """When it was made, in nanoseconds since the epoch, by which it is known again in another app; 0: not there."""
        ...


class Garbage(Protocol):
    """What the node keeps for its apps and nothing needs."""

    def collect_now(self, retention: Retention, *, dry_run: bool = False) -> Collection:
        """Look for it, and remove it unless this is a dry run. It takes its time."""
        ...


class Secrets(Protocol):
    """The values of secrets, encrypted at rest."""

    def keep(self, scope: str, version: int, values: Mapping[str, str]) -> None:
        """Keep values of the secrets of ``network`` or ``network/app``, all or none."""
        ...

    def reveal(self, scope: str, name: str, version: int) -> str:
        """The value of one version of a secret. Raises `RigError` where it cannot be decrypted."""
        ...

    def has(self, scope: str, name: str, version: int) -> bool:
        """Whether this version of a secret is kept, readable or not."""
        ...

    def require_key(self, network: str) -> None:
        """Raises `RigError` ``bad_config`` where a network has secrets and the key to them is not here."""
        ...

    def forget_lost(self) -> int:
        """Forget every secret whose key is not here; gives how many values."""
        ...

    def rotate(self) -> int:
        """Replace all keys and encrypt every value anew; gives the number of values."""
        ...


class NodePorts(Protocol):
    """The ports of a handler on the node."""

    @property
    def world(self) -> World: ...

    @property
    def principal(self) -> Principal: ...

    @property
    def accounts(self) -> Accounts: ...

    @property
    def bundles(self) -> Bundles: ...

    @property
    def runtime(self) -> Runtime: ...

    @property
    def build_logs(self) -> BuildLogs: ...

    @property
    def builds(self) -> Builds: ...

    @property
    def secrets(self) -> Secrets: ...

    @property
    def garbage(self) -> Garbage: ...

    @property
    def witness(self) -> Witness: ...

    @property
    def evidence(self) -> Evidence:
        """The node's own journal, to be archived."""
        ...

    @property
    def isolation(self) -> IsolationName: ...

    def memory_problem(self) -> str:
        """Why memory cannot be limited on this node; empty where it can."""
        ...

    def network_domain(self, network: str) -> str:
        """``demo.localhost``."""
        ...

    def hostname(self, app: str) -> str:
        """``hello.demo.localhost`` of ``demo/hello``."""
        ...

    def url(self, app: str) -> str:
        """Where a browser finds the app, port included."""
        ...


NodeContext = Context[NodePorts]
