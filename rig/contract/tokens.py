"""Service tokens: how a program, as a CI job, comes in without a person's login."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from rig.contract.accounts import Role
from rig.contract.base import After, Command, Effect, Filters, IfMatch, Limit, Page, Reply, arg, opt
from rig.contract.names import LABEL_PATTERN, LABEL_RULE, NETWORK_OR_ALL, optional

TokenName = Annotated[
    str,
    Meta(pattern=LABEL_PATTERN),
    arg(f"Name of the token, as the record calls whoever uses it: {LABEL_RULE}.", metavar="NAME"),
]


class Token(Reply, frozen=True, kw_only=True):
    """A service token as the node knows it, which is without its text."""

    name: str
    network: str
    """The network it is good for; ``*`` stands for all."""
    role: Role
    created_at: str
    created_by: str
    expires_at: str
    used_at: str = ""
    """When it was last used, to the hour; empty: never."""
    revision: int = 0
    """How often a token of this name was made or deleted: the ``expect`` of its deletion."""


class NewToken(Token, frozen=True, kw_only=True):
    """A token that was just made, with its text, which nobody is shown a second time."""

    token: str


class TokenPage(Page, frozen=True, kw_only=True):
    tokens: list[Token] = []


class CreateToken(Command, frozen=True, kw_only=True, tag="token.create"):
    """Make a service token for a program, as a CI job. It is printed once, and kept as a hash alone."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "new-token"
    reply: ClassVar[type[Reply]] = NewToken
    keeps_reply: ClassVar[bool] = False

    name: TokenName
    network: Annotated[
        str,
        Meta(pattern=NETWORK_OR_ALL),
        opt("The network that it is good for; * for the whole platform.", "--network", "-n", metavar="NETWORK"),
    ]
    role: Annotated[Role, opt("What it may do there.", "--role")] = "deployer"
    ttl: Annotated[
        str,
        Meta(pattern=r"^[1-9][0-9]{0,5}[smhdw]$(?!\n)"),
        opt("How long it is good, as 12h or 90d; a year at most.", "--ttl", metavar="TIME"),
    ] = "90d"


class ListTokens(Command, frozen=True, kw_only=True, tag="token.list"):
    """List the service tokens of the networks that you own or audit."""

    kind: ClassVar[str] = "tokens"
    reply: ClassVar[type[Reply]] = TokenPage

    network: Annotated[
        str,
        Meta(pattern=optional(NETWORK_OR_ALL)),
        opt("Only those of this network.", "--network", "-n", metavar="NETWORK"),
    ] = ""
    filter: Filters = []
    limit: Limit = 100
    after: After = ""


class ShowToken(Command, frozen=True, kw_only=True, tag="token.show"):
    """Show one service token: what it may do, until when, who made it, when it was used last."""

    kind: ClassVar[str] = "token"
    reply: ClassVar[type[Reply]] = Token

    name: TokenName


class DeleteToken(Command, frozen=True, kw_only=True, tag="token.delete"):
    """Delete a service token. It is good for nothing from then on."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "token"
    reply: ClassVar[type[Reply]] = Token

    name: TokenName
    expect: IfMatch = -1
