"""Accounts: who somebody is to a platform, and how they come in."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rig.contract.base import Command, Effect, Reply, arg, opt, wire

Role = Literal["owner", "deployer", "operator", "viewer", "auditor"]
AccountName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9._-]{0,62}$"), arg("Name of the person.", metavar="NAME")]


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
    network: Annotated[str, opt("Give the role in this network only.", "--network", "-n")] = "*"
    role: Annotated[Role, opt("What they may do.", "--role")] = "deployer"


class TokenPair(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer of the token endpoint, RFC 6749 section 5.1. Tokens are ``[A-Za-z0-9._-]`` only."""

    access_token: str
    token_type: str = "Bearer"
    expires_in: int = 900
    refresh_token: str = ""


class DeviceAuthorization(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 8628 section 3.2."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int = 5


class RegisterJournal(Command, frozen=True, kw_only=True, tag="journal.register"):
    """Tell the platform the public half of a journal's key, so that it can witness what it signs."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "journal"

    origin: Annotated[str, Meta(max_length=200), wire("Name of the journal.")]
    key: Annotated[str, Meta(max_length=200), wire("Verifier key, C2SP signed-note form.")]
