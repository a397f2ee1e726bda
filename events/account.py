"""The stream of one account, ``account:<name>``: how somebody came in, what they may do, and what was cut off.

Passphrases, tokens and invitation codes never appear here; a session is named by its random id.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from events.base import Fact, Happened


class AccountInvited(Fact, frozen=True, kw_only=True):
    """An invitation was made out. It is good once, until ``expires_at`` (RFC 3339, UTC)."""

    type: ClassVar[str] = "account.invited"

    name: str
    network: str = "*"
    role: str
    expires_at: str


class AccountJoined(Fact, frozen=True, kw_only=True):
    """Somebody took up an invitation and set a passphrase. ``again``: an account that was there before was renewed."""

    type: ClassVar[str] = "account.joined"

    name: str
    network: str = "*"
    role: str
    again: bool = False


class RoleGranted(Fact, frozen=True, kw_only=True):
    """A role in one network was given without an invitation, as to its maker, in place of the one that was there."""

    type: ClassVar[str] = "role.granted"

    name: str
    network: str
    role: str


class RoleRevoked(Fact, frozen=True, kw_only=True):
    """A role was taken away, or an invitation to it that was not taken up."""

    type: ClassVar[str] = "role.revoked"

    name: str
    network: str
    role: str


class AuthSucceeded(Fact, frozen=True, kw_only=True):
    """A session began. ``method`` is ``device`` or ``bootstrap``, ``host`` what the client calls its machine."""

    type: ClassVar[str] = "auth.succeeded"

    method: str
    session: str
    host: str = ""


class AuthFailed(Fact, frozen=True, kw_only=True):
    """Somebody was turned away. ``reason`` is ``passphrase``, ``secret`` or ``denied`` (by the person, on the page)."""

    type: ClassVar[str] = "auth.failed"

    method: str
    reason: str
    host: str = ""


class TokenRevoked(Fact, frozen=True, kw_only=True):
    """A session was ended with all its tokens. ``reason``: ``logout``, ``reuse`` (a spent token came back) or
    ``rejoined``."""

    type: ClassVar[str] = "token.revoked"

    session: str
    reason: str


class TokenCreated(Fact, frozen=True, kw_only=True):
    """A service token was made, on the stream ``token:<name>``. ``network``: ``*`` stands for all."""

    type: ClassVar[str] = "token.created"

    name: str
    network: str
    role: str
    expires_at: str


class TokenDeleted(Fact, frozen=True, kw_only=True):
    """A service token was deleted, by itself or with its network."""

    type: ClassVar[str] = "token.deleted"

    name: str
    network: str
    role: str


ROLE_FACTS = (AccountInvited, AccountJoined, RoleGranted, RoleRevoked)
"""What gives somebody a role in a network, offers it, or takes it away."""


class AccountState(msgspec.Struct, frozen=True):
    """What the stream says of one account: its roles. The sessions that go on are in the node's own store."""

    roles: dict[str, str] = {}
    """Network → role; an invitation that was not taken up gives none."""
    revisions: dict[str, int] = {}
    """How often the role in a network, or the invitation to one, was changed."""


def evolve(state: AccountState, fact: Fact, happened: Happened) -> AccountState:
    """Fold one fact into the state of its account."""
    if not isinstance(fact, ROLE_FACTS):
        return state
    roles, revisions = state.roles.copy(), state.revisions.copy()
    revisions[fact.network] = revisions.get(fact.network, 0) + 1
    match fact:
        case AccountJoined() | RoleGranted():
            roles[fact.network] = fact.role
        case RoleRevoked():
            roles.pop(fact.network, None)
    return AccountState(roles=roles, revisions=revisions)
