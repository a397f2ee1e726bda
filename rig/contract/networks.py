"""Networks: the rooms that apps live in, and where roles are given."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from rig.contract.base import After, Command, Effect, Filters, IfMatch, Limit, Page, Reply, arg, opt
from rig.contract.names import LABEL_PATTERN, LABEL_RULE

NetworkName = Annotated[
    str,
    Meta(pattern=LABEL_PATTERN),
    arg(f"Name of the network: {LABEL_RULE}.", metavar="NETWORK", completes="networks"),
]

Description = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]


class Network(Reply, frozen=True, kw_only=True):
    """A network as the node knows it."""

    name: str
    domain: str
    """Apps are served at ``app.<domain>``."""
    apps: int = 0
    role: str = ""
    """The asker's role here."""
    description: str = ""
    protected: bool = False
    """Whether neither it nor one of its apps can be deleted."""
    created_at: str = ""
    created_by: str = ""
    revision: int = 0
    """How often it was decided what it is to be: the ``expect`` of a change."""


class NetworkPage(Page, frozen=True, kw_only=True):
    networks: list[Network] = []


class AppSummary(Reply, frozen=True, kw_only=True):
    """How one app is doing, in few words."""

    name: str
    status: str
    """``empty``, ``deploying``, ``live``, ``stopped`` or ``crashed``."""
    version: int
    """The release that serves, 0 for none."""
    deployment: int
    """The release that is being made, 0 for none."""
    phase: str
    """How far that one is: ``queued`` while it waits for its turn."""
    processes: int
    """How many are to run."""
    updated_at: str


class Drifted(Reply, frozen=True, kw_only=True):
    """A key of an applied document that is not as it says any more; `rig config diff` shows how."""

    key: str
    """``env.REGION``, ``apps.shop.processes.web``; ``apps.shop`` is the app itself."""
    what: Literal["changed", "removed"]
    set_by: str = ""
    """Who set what is live, as far as that is known."""
    set_at: str = ""


class NetworkStatus(Reply, frozen=True, kw_only=True):
    """How the apps of a network are doing."""

    network: Network
    counts: dict[str, int]
    """Number of apps by status."""
    apps: list[AppSummary]
    applied_at: str = ""
    """When `rig config apply` was here last, empty for never."""
    applied_by: str = ""
    drift: list[Drifted] = []
    """What was applied then and is not so any more."""


class CreateNetwork(Command, frozen=True, kw_only=True, tag="network.create"):
    """Make a network. You become its owner."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "network"
    reply: ClassVar[type[Reply]] = Network

    name: NetworkName


class ListNetworks(Command, frozen=True, kw_only=True, tag="network.list"):
    """List the networks that you may see."""

    kind: ClassVar[str] = "networks"
    reply: ClassVar[type[Reply]] = NetworkPage

    filter: Filters = []
    limit: Limit = 100
    after: After = ""


class ShowNetwork(Command, frozen=True, kw_only=True, tag="network.show"):
    """Show one network."""

    kind: ClassVar[str] = "network"
    reply: ClassVar[type[Reply]] = Network

    name: NetworkName


class ShowNetworkStatus(Command, frozen=True, kw_only=True, tag="network.status"):
    """Show how the apps of a network are doing, those that need a look first."""

    kind: ClassVar[str] = "network-status"
    reply: ClassVar[type[Reply]] = NetworkStatus

    name: NetworkName
    detailed_exitcode: Annotated[
        bool, opt("Exit with 2 where a network is not as it was applied by `rig config apply`.", "--detailed-exitcode")
    ] = False


class UpdateNetwork(Command, frozen=True, kw_only=True, tag="network.update"):
    """Change what is said of a network: what it is for, and whether it is protected from being deleted."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "network"
    reply: ClassVar[type[Reply]] = Network

    name: NetworkName
    description: Annotated[Description | None, opt("What it is for, in a line.", "--description", metavar="TEXT")] = (
        None
    )
    protected: Annotated[
        bool | None,
        opt("Neither it nor one of its apps can be deleted, until that is taken back.", "--protected/--no-protected"),
    ] = None
    expect: IfMatch = -1


class DeleteNetwork(Command, frozen=True, kw_only=True, tag="network.delete"):
    """Delete a network. It must hold no apps, unless they are to go with it."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "network"
    reply: ClassVar[type[Reply]] = Network

    name: NetworkName
    cascade: Annotated[bool, opt("Delete its apps, too. What they have stored is gone.", "--cascade")] = False
    expect: IfMatch = -1
