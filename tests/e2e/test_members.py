"""Roles that are given and taken on a real node hold from the next request on."""

from __future__ import annotations

from tests.e2e.rig import User
from tests.security.people import Browser, join


def test_a_role_holds_from_the_next_request_on(user: User) -> None:
    bea = Browser(user, join(user, "bea", "demo", "viewer"))
    app = b'{"app": "demo/by-bea"}'
    assert bea.ask("POST", "/v1/apps", app).status == 403
    user.ok("update", "member", "demo", "bea", "--role", "deployer")
    assert bea.ask("POST", "/v1/apps", app).status == 201
    user.ok("delete", "member", "demo", "bea", "--yes")
    assert bea.ask("GET", "/v1/apps/demo/by-bea").status == 404
    user.ok("create", "member", "demo", "bea", "--role", "auditor")
    assert bea.ask("GET", "/v1/apps/demo/by-bea").status == 200
    facts = [(entry["action"], entry["target"]) for entry in user.ok("audit", "--all", "-o", "json").data["entries"]]
    assert facts.count(("role.granted", "bea")) == 2
    assert facts.count(("role.revoked", "bea")) == 1


def test_an_owner_of_a_network_is_not_left_without(user: User) -> None:
    user.ok("create", "network", "shop")
    cyd = Browser(user, join(user, "cyd", "shop", "owner"))
    join(user, "dan", "shop", "viewer")
    path = "/v1/networks/shop/members"
    assert cyd.ask("DELETE", f"{path}/cyd").status == 409
    assert cyd.ask("PATCH", f"{path}/dan", b'{"role": "owner"}').status == 200
    assert cyd.ask("DELETE", f"{path}/cyd").status == 200
    assert cyd.ask("GET", path).status == 404
    rows = user.ok("list", "members", "shop", "-o", "json").data["members"]
    shop = [(row["name"], row["role"]) for row in rows if row["network"] == "shop"]
    assert shop == [("dan", "owner")]
