"""`rig deploy`: from a folder to a release that serves."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from rig.contract.base import Command, Effect, Reply, arg, opt
from rig.contract.files import FilePath
from rig.contract.releases import Message, Release, SourceInfo


class PlannedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file that a deployment sends, or would send."""

    path: str
    size: int
    """Bytes; of a symlink, the length of its target."""
    mode: str
    """``file``, ``executable`` or ``symlink``."""


class Deployment(Reply, frozen=True, kw_only=True):
    """What `rig deploy` did, or with ``--dry-run`` would do."""

    app: str
    dry_run: bool = False
    bundle: str
    """Identity of the source tree: the SHA-256 of its root directory."""
    source: SourceInfo = SourceInfo()
    files: int
    bytes: int
    """Size of the source."""
    sent: int = 0
    """Bytes that travelled to the node."""
    url: str = ""
    version: int = 0
    release: Release | None = None
    timings: dict[str, int] = {}
    """Milliseconds that each step took: ``listing``, ``upload``, ``release``."""
    listing: list[PlannedFile] = []
    """Every file, with ``--dry-run`` only."""
    opened: bool = False
    resumed: bool = False
    """Whether this went on with a release that was begun before."""
    detached: bool = False
    """Whether the release goes on by itself, unwatched."""


class Deploy(Command, frozen=True, kw_only=True, tag="deploy"):
    """Deploy a folder: send what the node lacks of it, build it, start it, check its health, switch to it.

    The version that serves goes on until the new one is healthy, and stays if it never is.
    """

    effect: ClassVar[Effect] = "change"
    look: ClassVar[str] = "dry_run"
    kind: ClassVar[str] = "deployment"
    reply: ClassVar[type[Reply]] = Deployment

    path: Annotated[FilePath, arg("The folder to deploy.", metavar="[FOLDER]")] = "."
    app: Annotated[
        str,
        Meta(max_length=127),
        opt("The app, as network/app; else the one in rig.toml.", "--app", "-a", metavar="APP", completes="apps"),
    ]
    env: Annotated[
        str, Meta(max_length=63), opt("Lay `[environments.NAME]` of rig.toml over the rest of it.", metavar="NAME")
    ] = ""
    var: Annotated[
        dict[str, str],
        opt(
            "A variable for this release alone, as A=1: it wins over all others, and the next deployment drops it. May "
            "be given more than once.",
            "--var",
            metavar="NAME=VALUE",
        ),
    ] = {}
    create: Annotated[bool, opt("Make the app, and its network, where they are missing.", "--create")] = False
    message: Message = ""
    dry_run: Annotated[bool, opt("List every file and byte that would be sent, and send none.", "--dry-run")] = False
    force: Annotated[bool, opt("Build even if this source was built before.", "--force")] = False
    allow_secret: Annotated[
        list[str],
        opt("Send this file although it looks like a secret; a path or pattern.", "--allow-secret", metavar="PATH"),
    ] = []
    resume: Annotated[
        bool, opt("Go on with the deployment that was cut off; never makes a second release of it.", "--resume")
    ] = False
    detach: Annotated[bool, opt("Return as soon as the platform has taken the release on.", "--detach")] = False
    lock_wait: Annotated[
        int,
        Meta(ge=0, le=86_400),
        opt("Seconds to wait while somebody else deploys the app.", "--lock-wait", metavar="SECONDS"),
    ] = 0
    local: Annotated[bool, opt("Without a platform, start one on this machine without asking.", "--local")] = False
    open: Annotated[bool, opt("Open the app in a browser when it serves.", "--open")] = False
