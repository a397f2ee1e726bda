"""Who sends a request, and what they may do."""

from __future__ import annotations

import msgspec

from rig.contract.accounts import Role
from rig.contract.api import GRANTS, Permission
from rig.kernel.errors import RigError


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The one behind a request."""

    actor: str
    """``user:ana`` or ``token:ci``, as the journal names it."""
    name: str
    owner: bool = False
    """Owner of the whole node: every role everywhere."""
    roles: dict[str, Role] = {}
    """Role by network; ``*`` is for all of them."""
    session: str = ""
    """The login; empty for a service token."""
    expires_at: int = 0
    """When the credential ends for good, in nanoseconds since the epoch; 0: not by itself."""

    def permits(self, permission: Permission, network: str = "*") -> bool:
        """Whether it may do this in ``network``; ``*`` asks for the whole platform."""
        if self.owner or permission == "anyone":
            return True
        roles = {self.roles.get("*"), self.roles.get(network)}
        return any(permission in GRANTS[role] for role in roles if role)

    def role(self, network: str) -> str:
        """The role in one network, empty for none."""
        return "owner" if self.owner else self.roles.get(network) or self.roles.get("*") or ""

    @property
    def person(self) -> bool:
        """Whether this is a person and no service token."""
        return self.actor.startswith("user:")


def require_person(principal: Principal, what: str) -> None:
    """Keep a leaked token from making itself a way in that outlives it. Raises `RigError` ``forbidden``."""
    if not principal.person:
        raise RigError("forbidden", f"A service token cannot {what}.", "Log in as a person: `rig login`.")
