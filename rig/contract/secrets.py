"""Secrets: variables whose values are kept encrypted, are on no record, and are not shown."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from rig.contract.apps import AppName
from rig.contract.base import After, Command, Effect, Filters, IfMatch, Limit, Page, Reply, arg, opt
from rig.contract.files import FilePath
from rig.contract.variables import Detach, InNetwork, Origin, Stage, TheNetwork, VariablesChange, VarName

SecretName = Annotated[
    VarName,
    arg("Name of the secret: letters, digits and underscores. Its value is no argument.", metavar="NAME"),
]


class Secret(Reply, frozen=True, kw_only=True):
    """A secret as it is shown: by version and keyed digest. ``value`` is there only where it was asked for."""

    name: str
    redacted: bool = True
    digest: str
    version: int
    origin: Origin
    hidden: bool = False
    """Whether a value of a later layer wins over it."""
    set_by: str = ""
    set_at: str = ""
    deployed: bool = True
    """Whether the release that serves has it so."""
    value: str = ""


class SecretPage(Page, frozen=True, kw_only=True):
    secrets: list[Secret] = []
    revision: int = 0


class CreateSecret(Command, frozen=True, kw_only=True, tag="secret.create"):
    """Set a secret: asked for unseen, read from standard input or from a file, and never given as an argument.

    A deployed app gets one new release, of the same build.
    """

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "variables-change"
    reply: ClassVar[type[Reply]] = VariablesChange

    app: AppName = ""
    name: SecretName = ""
    network: InNetwork = ""
    from_file: Annotated[FilePath, opt("The file whose content is the value.", "--from-file", metavar="FILE")] = ""
    raw: Annotated[bool, opt("Take the value exactly as it is, with a line end behind it.", "--raw")] = False
    expect: IfMatch = -1
    stage: Stage = False
    detach: Detach = False


class DeleteSecret(Command, frozen=True, kw_only=True, tag="secret.delete"):
    """Remove a secret. Earlier releases keep it, so that they can be rolled back to."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "variables-change"
    reply: ClassVar[type[Reply]] = VariablesChange

    app: AppName = ""
    name: SecretName = ""
    network: InNetwork = ""
    expect: IfMatch = -1
    stage: Stage = False
    detach: Detach = False


class SecretDetails(Reply, frozen=True, kw_only=True):
    """A secret in all the layers that have one of that name: never its value."""

    name: str
    secrets: list[Secret] = []
    """The one that wins first."""


class ShowSecret(Command, frozen=True, kw_only=True, tag="secret.show"):
    """Show one secret: its digest and version, where it comes from, what it hides, and who set it, when."""

    kind: ClassVar[str] = "secret"
    reply: ClassVar[type[Reply]] = SecretDetails

    app: AppName = ""
    name: SecretName = ""
    network: InNetwork = ""


class ListSecrets(Command, frozen=True, kw_only=True, tag="secret.list"):
    """List the secrets of an app, inherited ones among them, or of a network: names and digests."""

    kind: ClassVar[str] = "secrets"
    reply: ClassVar[type[Reply]] = SecretPage

    app: AppName = ""
    network: InNetwork = ""
    origin: Annotated[bool, opt("Show where each comes from, and what is hidden by it.", "--origin")] = False
    reveal: Annotated[bool, opt("Show the values. It takes an owner, and is on the record.", "--reveal")] = False
    filter: Filters = []
    limit: Limit = 1000
    after: After = ""


class ListNetworkSecrets(Command, frozen=True, kw_only=True, tag="secret.list_network"):
    """List the secrets that the apps of a network inherit."""

    kind: ClassVar[str] = "secrets"
    reply: ClassVar[type[Reply]] = SecretPage

    name: TheNetwork
    filter: Filters = []
    limit: Limit = 1000
    after: After = ""


class Reveal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which values of secrets are to be shown. That they were read, and by whom, is on the record."""

    effect: ClassVar[Effect] = "access"
    kind: ClassVar[str] = "secrets"
    reply: ClassVar[type[Reply]] = SecretPage
    keeps_reply: ClassVar[bool] = False

    filter: Filters = []
    limit: Limit = 1000
    after: After = ""


class RevealSecrets(Reveal, Command, frozen=True, kw_only=True, tag="secret.reveal"):
    """Show the values of an app's secrets. That they were read, and by whom, is on the record."""

    app: AppName


class RevealNetworkSecrets(Reveal, Command, frozen=True, kw_only=True, tag="secret.reveal_network"):
    """Show the values of a network's secrets. That they were read, and by whom, is on the record."""

    name: TheNetwork


class KeyRotation(Reply, frozen=True, kw_only=True):
    """What was encrypted anew."""

    values: int
    forgotten: int = 0
    """Values that were forgotten, because their key was lost."""


class RotateKeys(Command, frozen=True, kw_only=True, tag="node.rotate_keys"):
    """Replace the keys under which a node keeps secrets, and encrypt every value anew. No app notices."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "key-rotation"
    reply: ClassVar[type[Reply]] = KeyRotation

    forget_lost: Annotated[
        bool, opt("Forget secrets whose key was lost, which nobody can read again; set them anew.", "--forget-lost")
    ] = False
