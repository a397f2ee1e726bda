"""The configuration of a network as one document: the file, what was applied last, what is live, and what differs."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rig.contract.base import Command, Effect, Reply, arg, opt, wire
from rig.contract.files import FilePath, Overwrite
from rig.contract.names import (
    LABEL_PATTERN,
    NETWORK_OR_APP,
    PROCESS_OR_ALL,
    SIZE_PATTERN,
    Label,
    ProcessType,
    optional,
)
from rig.contract.networks import Drifted, NetworkName
from rig.contract.project import Table
from rig.contract.variables import Detach, EnvVars, Expected, MadeRelease, TheNetwork, VarName

DIGEST = "digest:"
"""Stands before a digest in a document, so that no value of a secret can be taken for one."""
KnownDigest = Annotated[
    str,
    Meta(
        pattern=rf"^({DIGEST}[0-9a-f]{{8,64}})?$(?!\n)",
        description="empty, or `digest:` and the beginning of a digest, as `rig config export` writes it",
        # A value that somebody puts here by mistake goes into no message, and so on no record.
        extra={"concealed": True},
    ),
]
Secrets = dict[VarName, KnownDigest]
Count = Annotated[int, Meta(ge=0, le=100)]
Size = Annotated[str, Meta(pattern=SIZE_PATTERN)]
Sizes = dict[Annotated[str, Meta(pattern=PROCESS_OR_ALL)], Size]


class AppTable(Table, frozen=True, kw_only=True):
    """`[apps.NAME]`: what is set on the platform for one app."""

    env: EnvVars = {}
    secrets: Secrets = {}
    """Which secrets the app needs. A value never stands here; a digest says which value it was."""
    processes: dict[ProcessType, Count] = {}
    """How many processes of a type run, whatever rig.toml says."""
    memory: Size | Sizes = {}
    """What each process may take, as `512M`; as a table, by type, where `*` stands for all that are not named."""


class Configuration(Table, frozen=True, kw_only=True):
    """`max.toml`: a network with its apps, as it should be."""

    network: Label
    env: EnvVars = {}
    """What all apps inherit."""
    secrets: Secrets = {}
    apps: dict[Label, AppTable] = {}


Action = Literal["add", "change", "remove", "missing", "rotated", "unmanaged"]
"""What sets a key right. The last three change nothing: a secret that is missing or has another value than the file
names is set with `rig create secret`, and what is live and was never in a file is left alone."""


class ConfigChange(msgspec.Struct, frozen=True, kw_only=True):
    """One key, three ways. A value is null where there is none, and where it is not shown."""

    key: str
    """The way to it in the file: ``env.REGION``, ``apps.shop.processes.web``; ``apps.shop`` is the app itself."""
    action: Action
    file: str | None = None
    applied: str | None = None
    live: str | None = None
    redacted: bool = False
    """Whether its values are left out: they are those of variables."""
    drift: bool = False
    """Whether somebody has changed it since the last apply."""
    shrinks: bool = False
    """Whether fewer processes would run than now, or with less memory."""
    set_by: str = ""
    """Who set what is live, as far as that is known."""
    set_at: str = ""


class NetworkConfig(Reply, frozen=True, kw_only=True):
    """What is live in a network, and what was applied last."""

    network: str
    live: Configuration
    wanted: dict[str, int] = {}
    """How many processes each deployed app wants now, by key, wherever the number comes from."""
    applied: Configuration | None = None
    applied_at: str = ""
    applied_by: str = ""
    drift: list[Drifted] = []
    """What was applied and is not so any more."""
    revision: int = 0
    """What ``expect`` of an apply refers to: it grows with every change."""


class ConfigApplied(Reply, frozen=True, kw_only=True):
    """What an apply has done."""

    network: str
    changes: int = 0
    releases: list[MadeRelease] = []
    later: list[str] = []
    """Apps that are being deployed, and take what the network gives with the release after this one."""


class ConfigPlan(Reply, frozen=True, kw_only=True):
    """What differs between a file and what is live; and, once it was applied, what came of it."""

    network: str
    changes: list[ConfigChange] = []
    applied_at: str = ""
    """When a file was applied last, and by whom, before this."""
    applied_by: str = ""
    done: bool = False
    """Whether it was applied."""
    releases: list[MadeRelease] = []
    later: list[str] = []


class ConfigDocument(Reply, frozen=True, kw_only=True):
    """A document that was made of something else."""

    configuration: Configuration
    file: str = ""
    """Where it was written to, if anywhere."""
    secrets: list[str] = []
    """What has to be set by hand, as commands."""


class KeyChange(msgspec.Struct, frozen=True, kw_only=True):
    """One key that was changed, once."""

    scope: str
    """The network, or the app as network/app."""
    key: str
    """``env.COLOR``, ``secrets.DB_URL``, ``processes.web``."""
    before: str | None = None
    """Of a secret its digest; null where there was none, and where it is not shown."""
    after: str | None = None
    change: Literal["added", "changed", "removed"]
    redacted: bool = False
    at: str
    by: str
    pos: int
    """Its place in the record."""


class KeyHistory(Reply, frozen=True, kw_only=True):
    """Who changed which key, when; the newest first."""

    target: str
    record: str = ""
    """``observed``: the platform's record; ``local``: what was done with rig from here."""
    changes: list[KeyChange] = []
    more: bool = False


File = Annotated[FilePath, arg("The file; - is standard input.", metavar="FILE")]
ShowValues = Annotated[bool, opt("Show the values of variables; those of secrets are never shown.", "--show-values")]


class ShowNetworkConfig(Command, frozen=True, kw_only=True, tag="config.show"):
    """Show what is live in a network, what was applied last, and where they differ."""

    kind: ClassVar[str] = "network-config"
    reply: ClassVar[type[Reply]] = NetworkConfig

    network: TheNetwork


class ApplyNetworkConfig(Command, frozen=True, kw_only=True, tag="config.apply_network"):
    """Make a network what a document says, all of it or nothing; each deployed app that changes gets one release."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "config-applied"
    reply: ClassVar[type[Reply]] = ConfigApplied

    network: TheNetwork
    document: Annotated[Configuration, wire("How the network should be.")]
    allow_removal: Annotated[bool, wire("Let it remove keys, and run fewer processes.")] = False
    delete_apps: Annotated[bool, wire("Let it delete apps that were applied before and are gone from it.")] = False
    expect: Expected = -1


class ExportConfig(Command, frozen=True, kw_only=True, tag="config.export"):
    """Print what is set in a network and its apps, as a file for `rig config apply`. Of secrets it holds digests."""

    kind: ClassVar[str] = "config-document"
    reply: ClassVar[type[Reply]] = ConfigDocument

    network: NetworkName
    file: Annotated[FilePath, opt("Write it to this file, and not to standard output.", "--file", metavar="FILE")] = ""
    overwrite: Overwrite = False


class DiffConfig(Command, frozen=True, kw_only=True, tag="config.diff"):
    """Compare a file with what is live and what was applied last."""

    kind: ClassVar[str] = "config-plan"
    reply: ClassVar[type[Reply]] = ConfigPlan

    file: File
    show_values: ShowValues = False
    detailed_exitcode: Annotated[bool, opt("Exit with 2 where there are differences.", "--detailed-exitcode")] = False


class ApplyConfig(Command, frozen=True, kw_only=True, tag="config.apply"):
    """Make a network what a file says, all of it or nothing; each deployed app that changes gets one release.

    What is live and was never in an applied file is left alone. Removing, and running fewer processes, takes consent.
    """

    effect: ClassVar[Effect] = "change"
    look: ClassVar[str] = "plan"
    kind: ClassVar[str] = "config-plan"
    reply: ClassVar[type[Reply]] = ConfigPlan

    file: File
    plan: Annotated[bool, opt("Show what would be done, and do nothing.", "--plan")] = False
    yes: Annotated[bool, opt("Remove and shrink without asking.", "--yes", "-y")] = False
    delete_apps: Annotated[
        bool, opt("Delete the apps that were applied before and are gone from the file.", "--delete-apps")
    ] = False
    show_values: ShowValues = False
    detach: Detach = False


class ConfigHistory(Command, frozen=True, kw_only=True, tag="config.history"):
    """Who changed which key of a network or an app, when, from what to what: from the record, without the platform."""

    kind: ClassVar[str] = "config-history"
    reply: ClassVar[type[Reply]] = KeyHistory

    target: Annotated[
        str,
        Meta(pattern=NETWORK_OR_APP),
        arg("A network with its apps, or one app as network/app.", metavar="NETWORK[/APP]"),
    ]
    key: Annotated[str, Meta(max_length=300), opt("Only this key: COLOR, processes.web.", "--key", metavar="KEY")] = ""
    limit: Annotated[int, Meta(ge=1, le=10_000), opt("At most this many changes.", "--limit")] = 100
    show_values: ShowValues = False


class ImportConfig(Command, frozen=True, kw_only=True, tag="config.import"):
    """Make a max.toml of what other tools read: .env, compose.yaml, app.json, Procfile. Nothing is sent anywhere.

    What looks like a secret by its name is left out, and named with the command that sets it.
    """

    kind: ClassVar[str] = "config-document"
    reply: ClassVar[type[Reply]] = ConfigDocument

    files: Annotated[list[FilePath], Meta(max_length=100), arg("What to read.", metavar="FILE")]
    network: Annotated[
        str,
        Meta(pattern=optional(LABEL_PATTERN)),
        opt("The network that it is for; else the one of rig.toml.", "--network", "-n", completes="networks"),
    ] = ""
    app: Annotated[
        str,
        Meta(pattern=optional(LABEL_PATTERN)),
        opt("The app, where the files do not name it; else it is called after their folder.", "--app", metavar="APP"),
    ] = ""
