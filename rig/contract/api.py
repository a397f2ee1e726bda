"""The Max API, v1, as one table: which command travels by which method and path, what answers it, who may send it.

Client, node, OpenAPI document and docs page are all made from it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from rig.contract import accounts, apps, networks, releases
from rig.contract.base import Command, Done, Reply

API_VERSIONS = ("v1",)

Permission = Literal["anyone", "read", "deploy", "operate", "own", "audit"]
"""What a route asks of the caller's role; :data:`GRANTS` says which role has what. ``anyone`` is anyone logged in."""

Scope = Literal["platform", "network", "app"]

GRANTS: dict[str, frozenset[str]] = {
    "owner": frozenset({"read", "deploy", "operate", "own", "audit"}),
    "deployer": frozenset({"read", "deploy", "operate"}),
    "operator": frozenset({"read", "operate"}),
    "viewer": frozenset({"read"}),
    "auditor": frozenset({"read", "audit"}),
}


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation. Path parameters are fields of the command; ``{network}/{name}`` together are its ``app``."""

    method: str
    path: str
    command: type[Command]
    reply: type[Reply]
    permission: Permission
    scope: Scope
    status: int = 200


def _route(
    call: str, command: type[Command], reply: type[Reply], permission: Permission, scope: Scope, status: int = 200
) -> Route:
    method, _, path = call.partition(" ")
    return Route(
        method=method, path=path, command=command, reply=reply, permission=permission, scope=scope, status=status
    )


_APP = "/v1/apps/{network}/{name}"

ROUTES: tuple[Route, ...] = (
    _route("GET /v1/account", accounts.Whoami, accounts.Account, "anyone", "platform"),
    _route("POST /v1/invitations", accounts.Invite, accounts.Invitation, "own", "platform", 201),
    _route("POST /v1/journals", accounts.RegisterJournal, Done, "anyone", "platform", 201),
    _route("POST /v1/networks", networks.CreateNetwork, networks.Network, "deploy", "platform", 201),
    _route("GET /v1/networks", networks.ListNetworks, networks.NetworkPage, "anyone", "platform"),
    _route("GET /v1/networks/{name}", networks.ShowNetwork, networks.Network, "read", "network"),
    _route("DELETE /v1/networks/{name}", networks.DeleteNetwork, networks.Network, "own", "network"),
    _route("POST /v1/apps", apps.CreateApp, apps.App, "deploy", "app", 201),
    _route("GET /v1/apps", apps.ListApps, apps.AppPage, "anyone", "platform"),
    _route(f"GET {_APP}", apps.ShowApp, apps.App, "read", "app"),
    _route(f"PATCH {_APP}", apps.UpdateApp, apps.App, "operate", "app"),
    _route(f"DELETE {_APP}", apps.DeleteApp, apps.App, "deploy", "app"),
    _route(f"GET {_APP}/status", apps.ShowAppStatus, apps.AppStatus, "read", "app"),
    _route(f"POST {_APP}/releases", releases.StartRelease, releases.Release, "deploy", "app", 202),
    _route(f"GET {_APP}/releases", releases.ListReleases, releases.ReleasePage, "read", "app"),
    _route(f"GET {_APP}/releases/{{version}}", releases.ShowRelease, releases.Release, "read", "app"),
    _route(f"POST {_APP}/rollbacks", releases.Rollback, releases.RollbackReport, "deploy", "app", 202),
    _route(f"GET {_APP}/build-log", releases.ShowBuildLog, releases.BuildLog, "read", "app"),
)
