"""Accounts: who somebody is to a platform, and how they come in."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rig.contract.base import Command, Done, Effect, Reply, arg, opt
from rig.contract.names import CONTEXT_PATTERN, NETWORK_OR_ALL, optional

Role = Literal["owner", "deployer", "operator", "viewer", "auditor"]
TokenPlace = Literal["keychain", "file", "none"]
AccountName = Annotated[
    str,
    Meta(pattern=r"^[a-z][a-z0-9._-]{0,62}$(?!\n)"),
    arg("Name of the person: up to 63 lower-case letters, digits and . _ -, a letter first.", metavar="NAME"),
]


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """A platform that rig knows, under a name of the user's choice. Its tokens are kept elsewhere."""

    name: Annotated[str, Meta(pattern=CONTEXT_PATTERN)]
    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    account: Annotated[str, Meta(max_length=200)] = ""
    """The name that the platform knows you by, when you last logged in."""
    network: Annotated[str, Meta(max_length=63)] = ""
    """The network of an app that is named without one."""
    store: TokenPlace = "none"
    """Where its tokens are."""


class Account(Reply, frozen=True, kw_only=True):
    """Who the platform takes the asker for."""

    actor: str
    """``user:ana`` or ``token:ci``."""
    name: str
    owner: bool = False
    """Whether this is the owner of the whole platform, with every role everywhere."""
    roles: dict[str, Role] = {}
    """Role by network; ``*`` stands for all."""
    expires_at: str = ""
    """When the credential ends for good; empty: not by itself."""


class Whoami(Command, frozen=True, kw_only=True, tag="account.show"):
    """Show who you are to the platform of the current context."""

    kind: ClassVar[str] = "whoami"
    reply: ClassVar[type[Reply]] = Account


class Invitation(Reply, frozen=True, kw_only=True):
    name: str
    link: str
    expires_at: str


class Invite(Command, frozen=True, kw_only=True, tag="account.invite"):
    """Invite a person: prints a link, good once and for a day, whose page sets a passphrase."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "invitation"
    reply: ClassVar[type[Reply]] = Invitation
    keeps_reply: ClassVar[bool] = False

    name: AccountName
    network: Annotated[
        str,
        Meta(pattern=NETWORK_OR_ALL),
        opt("Give the role in this network only.", "--network", "-n"),
    ] = "*"
    role: Annotated[Role, opt("What they may do.", "--role")] = "deployer"


DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
"""RFC 8628, section 3.4."""
BOOTSTRAP_GRANT = "urn:rig:params:oauth:grant-type:bootstrap"
"""For the owner of an embedded node, who proves it by the content of the 0600 bootstrap secret."""


TOKEN_PATTERN = r"^[A-Za-z0-9._-]+$(?!\n)"
Address = Annotated[str, Meta(pattern=r"^https?://[!-~]+$(?!\n)", max_length=2000)]
"""A page to open. Nothing else than HTTP: it comes from a server, and goes to the user's browser and terminal."""


class TokenPair(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of the token endpoint, RFC 6749 section 5.1. Tokens are ``[A-Za-z0-9._-]`` only."""

    access_token: Annotated[str, Meta(pattern=TOKEN_PATTERN, max_length=8192)]
    token_type: str = "Bearer"
    expires_in: Annotated[int, Meta(ge=0, le=10**9)] = 900
    """Seconds; 0 where it is not known."""
    refresh_token: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]*$(?!\n)", max_length=8192)] = ""


class TokenError(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal of the token endpoint, RFC 6749 section 5.2."""

    error: str
    error_description: str = ""


class DeviceAuthorization(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 8628 section 3.2."""

    device_code: Annotated[str, Meta(pattern=TOKEN_PATTERN, max_length=200)]
    user_code: Annotated[str, Meta(pattern=r"^[A-Z0-9-]{1,32}$(?!\n)")]
    verification_uri: Address
    verification_uri_complete: Address
    expires_in: Annotated[int, Meta(ge=1, le=86_400)]
    """Seconds, as ``interval``."""
    interval: Annotated[int, Meta(ge=1, le=600)] = 5


class LoggedIn(Reply, frozen=True, kw_only=True):
    """What `rig login` answers."""

    context: str
    url: str
    account: Account
    store: TokenPlace
    """``keychain``, or ``file`` (mode 0600) where there is none."""


class Login(Command, frozen=True, kw_only=True, tag="account.login"):
    """Log in to a platform: opens its page in the browser, and waits until you have approved it there.

    Without URL it is the node of this machine (`rig node start`), which asks nothing, or else the platform of the
    current context. The login is kept as a context, which becomes the current one.
    """

    effect: ClassVar[Effect] = "local"
    kind: ClassVar[str] = "login"
    reply: ClassVar[type[Reply]] = LoggedIn

    url: Annotated[str, Meta(max_length=2000), arg("Address of the platform, https://…", metavar="[URL]")] = ""
    name: Annotated[
        str,
        Meta(pattern=optional(CONTEXT_PATTERN)),
        opt("Name for the context; the platform's host name if not given.", "--name", metavar="NAME"),
    ] = ""
    token_stdin: Annotated[bool, opt("Read a token from standard input, as CI does.", "--token-stdin")] = False
    browser: Annotated[bool, opt("Open the browser.", "--browser/--no-browser")] = True


class Logout(Command, frozen=True, kw_only=True, tag="account.logout"):
    """Log out: end the login on the platform, and forget its tokens here. The context stays."""

    effect: ClassVar[Effect] = "local"
    kind: ClassVar[str] = "logout"
    reply: ClassVar[type[Reply]] = Done

    name: Annotated[
        str, Meta(max_length=63), arg("The context; the current one if not given.", metavar="[CONTEXT]")
    ] = ""


class ContextRow(Reply, frozen=True, kw_only=True):
    """One row of `rig context list`."""

    name: str
    url: str
    account: str
    network: str
    store: TokenPlace
    current: bool


class ContextList(Reply, frozen=True, kw_only=True):
    contexts: list[ContextRow] = []


class ListContexts(Command, frozen=True, kw_only=True, tag="context.list"):
    """List the platforms that you have logged in to."""

    kind: ClassVar[str] = "contexts"
    reply: ClassVar[type[Reply]] = ContextList


class UseContext(Command, frozen=True, kw_only=True, tag="context.use"):
    """Make a context the current one."""

    effect: ClassVar[Effect] = "local"
    kind: ClassVar[str] = "context"
    reply: ClassVar[type[Reply]] = ContextRow

    name: Annotated[str, Meta(max_length=63), arg("Name of the context.", metavar="CONTEXT", completes="contexts")]
    network: Annotated[
        str, Meta(max_length=63), opt("Take this network for apps that are named without one.", "--network", "-n")
    ] = ""
