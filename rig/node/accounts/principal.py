"""Who sends a request, and what they may do."""

from __future__ import annotations

import msgspec

from rig.contract.accounts import Role
from rig.contract.api import GRANTS, Permission


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
