"""Networks: the rooms that apps live in, and where roles are given."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from rig.contract.base import Command, Effect, Page, Reply, arg, opt, wire
from rig.contract.names import LABEL_PATTERN, LABEL_RULE

Limit = Annotated[int, Meta(ge=1, le=1000), opt("At most this many rows in one page.", "--limit")]
After = Annotated[str, Meta(max_length=200), wire("Where the page before this one ended.")]
NetworkName = Annotated[
    str,
    Meta(pattern=LABEL_PATTERN),
    arg(f"Name of the network: {LABEL_RULE}.", metavar="NETWORK", completes="networks"),
]


class Network(Reply, frozen=True, kw_only=True):
    """A network as the node knows it."""

    name: str
    domain: str
    """Apps are served at ``app.<domain>``."""
    apps: int = 0
    role: str = ""
    """The asker's role here."""
    created_at: str = ""
    created_by: str = ""


class NetworkPage(Page, frozen=True, kw_only=True):
    networks: list[Network] = []


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

    limit: Limit = 100
    after: After = ""


class ShowNetwork(Command, frozen=True, kw_only=True, tag="network.show"):
    """Show one network."""

    kind: ClassVar[str] = "network"
    reply: ClassVar[type[Reply]] = Network

    name: NetworkName


class DeleteNetwork(Command, frozen=True, kw_only=True, tag="network.delete"):
    """Delete a network. It must hold no apps."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "network"
    reply: ClassVar[type[Reply]] = Network

    name: NetworkName
