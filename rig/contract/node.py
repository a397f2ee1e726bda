"""The embedded Max node: start it, stop it, ask how it is. These commands act on this machine alone.

:class:`NodeState` is the file by which a node and the clients on its machine find each other.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rig.contract.base import Command, Effect, Reply, opt

STATE_FILE = "node.json"
LOG_FILE = "node.log"
ERROR_FILE = "node.error.json"
"""What a client reads in the node's folder under RIG_HOME. The last one is the `ErrorBody` of a node that could
not start."""

DOMAIN_LIMIT = 125
"""253 characters of a DNS name (RFC 1035, section 2.3.4) less two labels of 63 with their dots, for app and network."""

DEFAULT_API_PORT = 7470
DEFAULT_EDGE_PORT = 7480
"""Tried first; where one is taken a free port is chosen, and kept from then on, so that URLs stay the same."""

DOMAIN_PATTERN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*)?$(?!\n)"
"""A DNS name (RFC 1123, section 2.1), or nothing."""

Isolation = Literal["auto", "bubblewrap", "none"]
Port = Annotated[int, Meta(ge=0, le=65535)]
RELEASES_AT_ONCE = 4
ReleasesAtOnce = Annotated[int, Meta(ge=0, le=1000)]
"""How many releases a node makes at once; 0: as many as before, else `RELEASES_AT_ONCE`."""
NodeRunState = Literal["running", "starting", "stopped"]


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """``node.json``: what a node that runs, or ran last, says of itself.

    Whether it still runs is told by ``pid`` and ``started`` together (see :mod:`rig.kernel.processes`); the addresses
    stay when it ends, so that the next one takes the same ports.
    """

    pid: int
    started: int
    """Start time of the process, as :func:`rig.kernel.processes.start_time` gives it."""
    version: str
    api: Annotated[str, Meta(max_length=300)] = ""
    """``http://127.0.0.1:7470``; empty while the node is starting."""
    edge: Annotated[str, Meta(max_length=300)] = ""
    """Where apps are served, without the app's own name: ``http://localhost:7480``, ``https://example.com``."""
    api_port: Port = 0
    edge_port: Port = 0
    domain: Annotated[str, Meta(max_length=253)] = "localhost"
    isolation: Annotated[str, Meta(max_length=30)] = ""
    releases: ReleasesAtOnce = 0
    problems: Annotated[list[Annotated[str, Meta(max_length=1000)]], Meta(max_length=100)] = []
    """What was wrong when it started, and has to be mended by hand."""
    serving: bool = False
    """Whether apps and edge may run. They do so without the node where it was killed, or told to leave them."""
    ready_at: Annotated[str, Meta(max_length=40)] = ""
    """When the API listened; empty while the node is starting."""


class Node(Reply, frozen=True, kw_only=True):
    """The embedded node, as it is now."""

    state: NodeRunState
    home: str
    """The folder with all of its state."""
    api: str = ""
    edge: str = ""
    """Where apps are served: ``http://APP.NETWORK.localhost:7480`` for ``http://localhost:7480``."""
    domain: str = ""
    isolation: str = ""
    """``bubblewrap`` or ``none``: what keeps apps apart."""
    releases: int = 0
    """How many releases it makes at once."""
    version: str = ""
    serving: bool = False
    """Whether apps are served. They may be while the node is stopped: it was killed, or stopped with --keep-apps."""
    pid: int = 0
    started_at: str = ""
    problems: list[str] = []
    """What was wrong when it started, and what mends it."""
    changed: bool = False
    """Whether this command started or stopped it; false where there was nothing to do."""


class StartNode(Command, frozen=True, kw_only=True, tag="node.start"):
    """Start the embedded Max node, if it does not run yet, and wait until it answers.

    It goes on in the background when this command ends. Apps that an earlier node left running are taken over.
    """

    effect: ClassVar[Effect] = "local"
    kind: ClassVar[str] = "node"
    reply: ClassVar[type[Reply]] = Node

    foreground: Annotated[bool, opt("Stay in the foreground; Ctrl-C stops the node with its apps.", "--foreground")] = (
        False
    )
    port: Annotated[
        Port, opt("Serve apps on this port. 0: the one used before, else 7480, else a free one.", "--port")
    ] = 0
    api_port: Annotated[
        Port, opt("Serve the API on this port. 0: the one used before, else 7470, else a free one.", "--api-port")
    ] = 0
    domain: Annotated[
        str,
        Meta(pattern=DOMAIN_PATTERN, max_length=DOMAIN_LIMIT),
        opt(
            "Serve apps under this domain; empty: the one used before, else localhost. Any other than localhost is "
            "public: ports 80 and 443, certificates by ACME.",
            "--domain",
        ),
    ] = ""
    isolation: Annotated[
        Isolation, opt("What keeps apps apart; auto takes bubblewrap where there is one.", "--isolation")
    ] = "auto"
    releases: Annotated[
        ReleasesAtOnce,
        opt(
            f"Make so many releases at once; others wait. 0: as many as before, else {RELEASES_AT_ONCE}.", "--releases"
        ),
    ] = 0
    wait: Annotated[int, Meta(ge=1, le=600), opt("Seconds to wait until the node answers.", "--wait")] = 60


class StopNode(Command, frozen=True, kw_only=True, tag="node.stop"):
    """Stop the embedded Max node with its apps. They come back with the next `rig node start`."""

    effect: ClassVar[Effect] = "local"
    kind: ClassVar[str] = "node"
    reply: ClassVar[type[Reply]] = Node

    keep_apps: Annotated[bool, opt("Leave the apps running, and served.", "--keep-apps")] = False
    wait: Annotated[int, Meta(ge=1, le=600), opt("Seconds to wait for the end.", "--wait")] = 60


class NodeStatus(Command, frozen=True, kw_only=True, tag="node.status"):
    """Show whether the embedded Max node runs, and where it listens."""

    kind: ClassVar[str] = "node"
    reply: ClassVar[type[Reply]] = Node
