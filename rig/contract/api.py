"""The Max API, v1, as one table: which command travels by which method and path, what answers it, who may send it.

Client, node, OpenAPI document and docs page are all made from it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from rig.contract import (
    accounts,
    apps,
    collect,
    configuration,
    evidence,
    intents,
    members,
    networks,
    promotion,
    releases,
    replica,
    secrets,
    tokens,
    variables,
)
from rig.contract.base import Command

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
    permission: Permission
    scope: Scope
    status: int = 200


def _route(call: str, command: type[Command], permission: Permission, scope: Scope, status: int = 200) -> Route:
    method, _, path = call.partition(" ")
    return Route(method=method, path=path, command=command, permission=permission, scope=scope, status=status)


_APP = "/v1/apps/{network}/{name}"

ROUTES: tuple[Route, ...] = (
    _route("GET /v1/account", accounts.Whoami, "anyone", "platform"),
    _route("GET /v1/intents/{key}", intents.ShowIntent, "anyone", "platform"),
    _route("POST /v1/invitations", accounts.Invite, "own", "platform", 201),
    _route("POST /v1/tokens", tokens.CreateToken, "own", "network", 201),
    _route("GET /v1/tokens", tokens.ListTokens, "anyone", "platform"),
    _route("GET /v1/tokens/{name}", tokens.ShowToken, "anyone", "platform"),
    _route("DELETE /v1/tokens/{name}", tokens.DeleteToken, "anyone", "platform"),
    _route("POST /v1/journals", replica.RegisterJournal, "anyone", "platform", 201),
    _route("POST /v1/journals/checkpoints", replica.WitnessCheckpoint, "anyone", "platform"),
    _route("POST /v1/journal/archives", evidence.ArchiveNode, "own", "platform"),
    _route("GET /v1/journal/records", replica.ListRecords, "anyone", "platform"),
    _route("POST /v1/keys/rotations", secrets.RotateKeys, "own", "platform"),
    _route("POST /v1/gc", collect.CollectGarbage, "own", "platform"),
    _route("POST /v1/networks", networks.CreateNetwork, "deploy", "platform", 201),
    _route("GET /v1/networks", networks.ListNetworks, "anyone", "platform"),
    _route("GET /v1/networks/{name}", networks.ShowNetwork, "read", "network"),
    _route("GET /v1/networks/{name}/status", networks.ShowNetworkStatus, "read", "network"),
    _route("PATCH /v1/networks/{name}", networks.UpdateNetwork, "own", "network"),
    _route("DELETE /v1/networks/{name}", networks.DeleteNetwork, "own", "network"),
    _route("POST /v1/networks/{network}/members", members.CreateMember, "own", "network", 201),
    _route("GET /v1/networks/{network}/members", members.ListMembers, "read", "network"),
    _route("GET /v1/networks/{network}/members/{name}", members.ShowMember, "read", "network"),
    _route("PATCH /v1/networks/{network}/members/{name}", members.UpdateMember, "own", "network"),
    _route("DELETE /v1/networks/{network}/members/{name}", members.DeleteMember, "own", "network"),
    _route("GET /v1/networks/{name}/variables", variables.ListNetworkVars, "read", "network"),
    _route("PATCH /v1/networks/{name}/variables", variables.ChangeNetworkVariables, "deploy", "network"),
    _route("GET /v1/networks/{name}/secrets", secrets.ListNetworkSecrets, "read", "network"),
    _route("POST /v1/networks/{name}/secrets/reveal", secrets.RevealNetworkSecrets, "own", "network"),
    _route("GET /v1/networks/{network}/config", configuration.ShowNetworkConfig, "read", "network"),
    _route("POST /v1/networks/{network}/config/apply", configuration.ApplyNetworkConfig, "deploy", "network"),
    _route("POST /v1/apps", apps.CreateApp, "deploy", "app", 201),
    _route("GET /v1/apps", apps.ListApps, "anyone", "platform"),
    _route(f"GET {_APP}", apps.ShowApp, "read", "app"),
    _route(f"PATCH {_APP}", apps.UpdateApp, "operate", "app"),
    _route(f"DELETE {_APP}", apps.DeleteApp, "deploy", "app"),
    _route(f"POST {_APP}/start", apps.StartApp, "operate", "app"),
    _route(f"POST {_APP}/stop", apps.StopApp, "operate", "app"),
    _route(f"POST {_APP}/restart", apps.RestartApp, "operate", "app", 202),
    _route(f"GET {_APP}/status", apps.ShowAppStatus, "read", "app"),
    _route(f"GET {_APP}/variables", variables.ListVars, "read", "app"),
    _route(f"PATCH {_APP}/variables", variables.ChangeVariables, "deploy", "app"),
    _route(f"GET {_APP}/secrets", secrets.ListSecrets, "read", "app"),
    _route(f"POST {_APP}/secrets/reveal", secrets.RevealSecrets, "own", "app"),
    _route(f"POST {_APP}/releases", releases.StartRelease, "deploy", "app", 202),
    _route(f"GET {_APP}/releases", releases.ListReleases, "read", "app"),
    _route(f"GET {_APP}/releases/{{version}}", releases.ShowRelease, "read", "app"),
    _route(f"POST {_APP}/rollbacks", releases.Rollback, "deploy", "app", 202),
    _route(f"GET {_APP}/promotions", promotion.ShowPromotion, "read", "app"),
    _route(f"POST {_APP}/promotions", promotion.StartPromotion, "deploy", "app", 202),
    _route(f"GET {_APP}/build-log", releases.ShowBuildLog, "read", "app"),
)
