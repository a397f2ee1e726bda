"""Who may do what. A denial is an outcome, and on the record."""

from __future__ import annotations

from rig.contract.api import Permission
from rig.contract.base import Command
from rig.contract.names import split_app
from rig.contract.routing import route_of
from rig.kernel.errors import RigError
from rig.kernel.ports import Stamp
from rig.node.accounts.principal import Principal


class Policy:
    """The policy of one request: the role that its principal has where the command acts."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal

    def __call__(self, command: Command, stamp: Stamp) -> None:
        """Let the command pass. Raises `RigError` ``forbidden``, or ``not_found`` where even the name is not theirs."""
        route = route_of(type(command))
        if route.scope == "app":
            network = split_app(getattr(command, "app", ""))[0]
        else:
            # A network is the `name` in its own commands, and the `network` in those about what belongs to it.
            network = getattr(command, "network", "") or getattr(command, "name", "")
            network = network if route.scope == "network" else "*"
        self.require(route.permission, network, getattr(command, "app", "") or network)

    def require(self, permission: Permission, network: str, target: str) -> None:
        """Ask for one permission in one network. Raises as the call does."""
        principal = self._principal
        if principal.permits(permission, network):
            return
        if network != "*" and not principal.role(network):
            raise RigError("not_found", f"There is no `{target}`.", "`rig list networks` shows those you may see.")
        role = principal.role(network) or "no role"
        where = f"in network `{network}`" if network != "*" else "on the platform as a whole"
        raise RigError(
            "forbidden",
            f"You have {role} {where}, and this takes the right to {permission}.",
            "An owner can give you another role; `rig whoami` shows yours.",
        )
