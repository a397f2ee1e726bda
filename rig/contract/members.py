"""Members: which role people have in a network."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rig.contract.accounts import AccountName, Role
from rig.contract.base import After, Command, Effect, Filters, IfMatch, Limit, Page, Reply, arg, opt
from rig.contract.names import NETWORK_OR_ALL, optional

NetworkOrAll = Annotated[
    str,
    Meta(pattern=NETWORK_OR_ALL),
    arg("The network; * for the whole platform.", metavar="NETWORK"),
]


class Member(Reply, frozen=True, kw_only=True):
    """What somebody may do in a network."""

    name: str
    network: str
    """Where the role was given: in this network, or in all of them (``*``)."""
    role: Role
    state: Literal["member", "invited"] = "member"
    """``invited``: the invitation was not taken up yet."""
    revision: int = 0
    """How often this role was changed: the ``expect`` of a change."""


class RoleChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a role."""

    what: Literal["invited", "joined", "granted", "revoked"]
    role: str
    by: str
    at: str


class MemberDetails(Reply, frozen=True, kw_only=True):
    """What somebody may do in a network, and how that came to be."""

    member: Member
    changes: list[RoleChange] = []
    """The newest first."""
    revision: int = 0
    """That of the member."""


class MemberPage(Page, frozen=True, kw_only=True):
    members: list[Member] = []


class CreateMember(Command, frozen=True, kw_only=True, tag="member.create"):
    """Give somebody who has an account a role in a network. Others are invited: `rig node invite`."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "member"
    reply: ClassVar[type[Reply]] = Member

    network: NetworkOrAll
    name: AccountName
    role: Annotated[Role, opt("What they may do.", "--role")] = "deployer"


class ShowMember(Command, frozen=True, kw_only=True, tag="member.show"):
    """Show what somebody may do in a network, and who gave them the role, when."""

    kind: ClassVar[str] = "member-details"
    reply: ClassVar[type[Reply]] = MemberDetails

    network: NetworkOrAll
    name: AccountName


class ListMembers(Command, frozen=True, kw_only=True, tag="member.list"):
    """List who may do what in a network."""

    kind: ClassVar[str] = "members"
    reply: ClassVar[type[Reply]] = MemberPage

    network: Annotated[
        str,
        Meta(pattern=optional(NETWORK_OR_ALL)),
        arg("The network, * for the whole platform; else the one of rig.toml or the context.", metavar="[NETWORK]"),
    ] = ""
    filter: Filters = []
    limit: Limit = 100
    after: After = ""


class UpdateMember(Command, frozen=True, kw_only=True, tag="member.update"):
    """Change the role of a member. It holds from their next request on."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "member"
    reply: ClassVar[type[Reply]] = Member

    network: NetworkOrAll
    name: AccountName
    role: Annotated[Role, opt("What they may do from now on.", "--role")]
    expect: IfMatch = -1


class DeleteMember(Command, frozen=True, kw_only=True, tag="member.delete"):
    """Take somebody's role in a network away, or an invitation that was not taken up. It ends at once."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "member"
    reply: ClassVar[type[Reply]] = Member

    network: NetworkOrAll
    name: AccountName
    expect: IfMatch = -1
