"""Variables: what an app's processes find in their environment, and where each value comes from."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from events.config import SecretRef
from rig.contract.apps import AppName
from rig.contract.base import After, Command, Effect, Filters, IfMatch, Limit, Page, Reply, arg, opt, wire
from rig.contract.files import FilePath
from rig.contract.names import LABEL_PATTERN, VARIABLE_PATTERN, optional

MAX_VALUE = 64 * 1024
"""Bytes of one value."""
MAX_TOTAL = 256 * 1024
"""Bytes of all names and values of one network or app: a release keeps them, and a process gets them at once."""

RESERVED: dict[str, str] = {
    "PORT": "each process gets a port of its own, and has to listen there",
    "HOME": "each app has a home folder of its own, which is kept between releases",
    "PATH": "it leads to what the build has installed; `[env]` in rig.toml may name what comes after that",
}
"""Names that cannot be set, and why."""

Origin = Literal["node", "network", "rig.toml", "environment", "app", "release"]
"""Where a value comes from. What stands later in this list wins.

``environment`` is `[environments.NAME.env]` of rig.toml, ``release`` what `rig deploy --var` gave one deployment alone.
"""

VarName = Annotated[str, Meta(pattern=VARIABLE_PATTERN)]
VarValue = Annotated[str, Meta(max_length=MAX_VALUE)]
EnvVars = dict[VarName, VarValue]
InNetwork = Annotated[
    str,
    Meta(pattern=optional(LABEL_PATTERN)),
    opt("Of a network, for all its apps, instead of an app.", "--network", metavar="NETWORK", completes="networks"),
]
Stage = Annotated[bool, opt("Make no release now; the next one takes it.", "--stage")]
Detach = Annotated[bool, opt("Do not wait until the release serves.", "--detach", "-d")]


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One value that a name has, and where. Of a secret there is the digest alone."""

    origin: Origin
    value: str = ""
    secret: bool = False
    digest: str = ""
    set_by: str = ""
    set_at: str = ""


class Var(Reply, frozen=True, kw_only=True):
    """A variable of an app or network: the value that wins, and where it comes from."""

    name: str
    value: str = ""
    secret: bool = False
    """Whether a secret of that name wins; its value is not shown."""
    digest: str = ""
    origin: Origin
    set_by: str = ""
    set_at: str = ""
    deployed: bool = True
    """Whether the release that serves has it so."""
    stack: list[Layer] = []
    """With ``--origin``: every value that the name has, the one that wins first."""


class VarPage(Page, frozen=True, kw_only=True):
    vars: list[Var] = []
    revision: int = 0
    """How often the variables and secrets of this app or network were changed: the ``expect`` of a change."""


class VarDiff(msgspec.Struct, frozen=True, kw_only=True):
    """A variable before and after a change; null where there was, or is, none."""

    before: str | None = None
    after: str | None = None


class SecretDiff(msgspec.Struct, frozen=True, kw_only=True):
    """A secret before and after a change, by version and keyed digest."""

    before: SecretRef | None = None
    after: SecretRef | None = None


class MadeRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A release that a change made."""

    app: str
    version: int


class VariablesChange(Reply, frozen=True, kw_only=True):
    """What was changed, and which releases that made."""

    target: str
    """The app as ``network/app``, or the network."""
    vars: dict[str, VarDiff] = {}
    secrets: dict[str, SecretDiff] = {}
    unchanged: list[str] = []
    """Names that were asked for and were so already."""
    releases: list[MadeRelease] = []
    staged: bool = False
    """Whether there is an app that takes it with its next release only."""
    revision: int = 0


Expected = Annotated[int, Meta(ge=-1), wire("The revision that this was decided on; -1: whichever it is.")]
TheNetwork = Annotated[str, Meta(pattern=LABEL_PATTERN), wire("Name of the network.")]


class VariableChanges(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be set and removed, of an app or of a network: all of it or nothing."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "variables-change"
    reply: ClassVar[type[Reply]] = VariablesChange

    set_vars: Annotated[EnvVars, wire("Variables to set.")] = {}
    unset_vars: Annotated[list[VarName], wire("Variables to remove.")] = []
    set_secrets: Annotated[EnvVars, wire("Secrets to set.", secret=True)] = {}
    unset_secrets: Annotated[list[VarName], wire("Secrets to remove.")] = []
    stage: Annotated[bool, wire("Make no release now.")] = False
    expect: Expected = -1


class ChangeVariables(VariableChanges, Command, frozen=True, kw_only=True, tag="variables.change"):
    """Set and remove variables and secrets of an app, all or none; a deployed app gets one new release of its build."""

    app: AppName


class ChangeNetworkVariables(VariableChanges, Command, frozen=True, kw_only=True, tag="variables.change_network"):
    """The same of a network: each of its deployed apps that inherits a change gets a new release."""

    name: TheNetwork


class CreateVars(Command, frozen=True, kw_only=True, tag="var.create"):
    """Set variables, all at once: a deployed app gets one new release, of the same build.

    An app's own value wins over rig.toml's, and that over its network's.
    """

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "variables-change"
    reply: ClassVar[type[Reply]] = VariablesChange

    app: AppName = ""
    values: Annotated[
        dict[str, str], arg("What to set, as A=1; may be given more than once.", metavar="NAME=VALUE")
    ] = {}
    network: InNetwork = ""
    from_file: Annotated[
        FilePath, opt("Set what this file says, in the form of .env.", "--from-file", metavar="FILE")
    ] = ""
    allow_empty: Annotated[bool, opt("Let values be empty.", "--allow-empty")] = False
    expect: IfMatch = -1
    stage: Stage = False
    detach: Detach = False


class DeleteVars(Command, frozen=True, kw_only=True, tag="var.delete"):
    """Remove variables; what they hid, as a value of the network, is in force again."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "variables-change"
    reply: ClassVar[type[Reply]] = VariablesChange

    app: AppName = ""
    names: Annotated[list[VarName], arg("Which; may be given more than once.", metavar="NAME")] = []
    network: InNetwork = ""
    expect: IfMatch = -1
    stage: Stage = False
    detach: Detach = False


class ShowVar(Command, frozen=True, kw_only=True, tag="var.show"):
    """Show one variable: the value that is in force, what it hides, and who set each, when."""

    kind: ClassVar[str] = "var"
    reply: ClassVar[type[Reply]] = Var

    app: AppName = ""
    name: Annotated[VarName, arg("Name of the variable.", metavar="NAME")] = ""
    network: InNetwork = ""


class ListVars(Command, frozen=True, kw_only=True, tag="var.list"):
    """List the variables of an app, inherited ones among them, or of a network."""

    kind: ClassVar[str] = "vars"
    reply: ClassVar[type[Reply]] = VarPage

    app: AppName = ""
    network: InNetwork = ""
    origin: Annotated[bool, opt("Show where each value comes from, and what it hides.", "--origin")] = False
    filter: Filters = []
    limit: Limit = 1000
    after: After = ""


class ListNetworkVars(Command, frozen=True, kw_only=True, tag="var.list_network"):
    """List the variables that the apps of a network inherit."""

    kind: ClassVar[str] = "vars"
    reply: ClassVar[type[Reply]] = VarPage

    name: TheNetwork
    filter: Filters = []
    limit: Limit = 1000
    after: After = ""
