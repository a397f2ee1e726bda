"""Who has which role in a network, and the rules by which roles are given and taken."""

from __future__ import annotations

from collections.abc import Sequence

from rig.contract.accounts import Role
from rig.contract.members import Member
from rig.kernel.errors import RigError
from rig.node.accounts.store import Store


class Members:
    """The roles of people, as they are kept."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def exists(self, name: str) -> bool:
        """Whether there is an account of this name."""
        return self._store.row("SELECT 1 FROM person WHERE name = ?", name) is not None

    def of(self, network: str) -> list[Member]:
        """Everybody who was given a role here, or invited to one, by name."""
        roles = self._store.rows("SELECT name, role FROM role WHERE network = ?", network)
        members = {row["name"]: Member(name=row["name"], network=network, role=row["role"]) for row in roles}
        for row in self._store.rows("SELECT name, role FROM invitation WHERE network = ?", network):
            invited = Member(name=row["name"], network=network, role=row["role"], state="invited")
            members.setdefault(row["name"], invited)
        return [members[name] for name in sorted(members)]

    def everywhere(self) -> list[Member]:
        """Everybody with a role in all networks: the owner of the node, and those who were given one."""
        owners = [row["name"] for row in self._store.rows("SELECT name FROM person WHERE owner = 1")]
        named = [Member(name=name, network="*", role="owner") for name in owners]
        return sorted([*named, *(each for each in self.of("*") if each.name not in owners)], key=lambda each: each.name)

    def give(self, member: Member) -> None:
        """Give a role in one network (``*``: in all), in place of the one that was there."""
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO role(name, network, role) VALUES (?, ?, ?)"
                " ON CONFLICT(name, network) DO UPDATE SET role = excluded.role",
                (member.name, member.network, member.role),
            )

    def take(self, name: str, network: str) -> None:
        """Take a role away, and void invitations to one."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM role WHERE name = ? AND network = ?", (name, network))
            db.execute("DELETE FROM invitation WHERE name = ? AND network = ?", (name, network))


def member_named(members: Sequence[Member], name: str, network: str) -> Member:
    """The member of this name. Raises `RigError` ``not_found``."""
    for member in members:
        if member.name == name:
            return member
    raise RigError(
        "not_found",
        f"`{name}` was given no role in {where(network)}.",
        f"`rig list members {quoted(network)}` shows who was.",
    )


def require_other_owner(members: Sequence[Member], name: str, network: str) -> None:
    """Refuse to leave a network without an owner of its own. Raises `RigError` ``conflict``."""
    owners = [each.name for each in members if each.role == "owner" and each.state == "member"]
    if owners == [name]:
        raise RigError(
            "conflict",
            f"`{name}` is the last owner of {where(network)}.",
            f"Make another one first: `rig create member {quoted(network)} NAME --role owner`.",
        )


def where(network: str) -> str:
    """The network, as a message names it."""
    return "the whole platform" if network == "*" else f"network `{network}`"


def quoted(network: str) -> str:
    """The network, as a shell takes it."""
    return "'*'" if network == "*" else network


def role_granted_before(members: Sequence[Member], name: str) -> Role | None:
    """The role that somebody has here; none for who was only invited."""
    return next((each.role for each in members if each.name == name and each.state == "member"), None)
