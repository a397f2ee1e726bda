"""Every list, filtered and a page at a time: the platform finds the rows, and one request brings one page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.rig import User
from tests.security.people import Browser, owner_token

pytestmark = pytest.mark.xdist_group("lists")  # some add to what others have counted


@pytest.fixture(scope="module")
def full(user: User) -> User:
    """A user with a few of everything."""
    for name in ("web-1", "web-2", "api"):
        user.ok("create", "app", f"demo/{name}")
        user.ok(
            "create", "token", f"of-{name}", "--network", "demo", "--role", "viewer" if name == "api" else "deployer"
        )
    user.ok("create", "network", "dev")
    user.ok("create", "var", "--network", "demo", "REGION=eu", "A=1")
    user.ok("create", "var", "demo/api", "A=2", "B=3")
    for name in ("KEY", "OTHER"):
        assert user.rig("create", "secret", "demo/api", name, stdin="hunter2").exit == 0
    me = user.ok("whoami", "-o", "json").data["actor"].removeprefix("user:")
    user.ok("create", "member", "demo", me, "--role", "viewer")
    return user


def names(user: User, what: str, *line: str) -> list[str]:
    rows: list[dict[str, Any]] = user.ok("list", what, *line, "-o", "json").data[what]
    return [row["name"] for row in rows]


@pytest.mark.parametrize(
    ("line", "then"),
    [
        (("networks", "--filter", "name=d*", "--filter", "apps=0"), ["dev"]),
        (("networks", "--filter", "role!=owner"), []),
        (("apps", "--filter", "name=web-?"), ["demo/web-1", "demo/web-2"]),
        (("apps", "--filter", "name=demo/*", "--filter", "name!=web-*"), ["demo/api"]),
        (("apps", "--filter", "status=live"), []),
        (("vars", "demo/api", "--filter", "origin=app"), ["A", "B", "KEY", "OTHER"]),
        (("vars", "demo/api", "--filter", "origin=app", "--filter", "secret=false"), ["A", "B"]),
        (("vars", "--network", "demo", "--filter", "value=e?"), ["REGION"]),
        (("secrets", "demo/api", "--filter", "name=K*"), ["KEY"]),
        (("secrets", "demo/api", "--reveal", "--filter", "name=K*"), ["KEY"]),
        (("tokens", "--filter", "role=deployer", "--filter", "network=demo"), ["of-web-1", "of-web-2"]),
    ],
)
def test_what_passes_is_listed(full: User, line: tuple[str, ...], then: list[str]) -> None:
    assert names(full, *line) == then


def test_members_by_their_role(full: User) -> None:
    rows = full.ok("list", "members", "demo", "--filter", "role=viewer", "-o", "json").data["members"]
    assert [(row["network"], row["role"]) for row in rows] == [("demo", "viewer")]


def test_pages_follow_each_other(full: User) -> None:
    found, after = [], ""
    while True:
        page = full.ok("list", "apps", "--filter", "name=*", "--limit", "1", "--after", after, "-o", "json").data
        found += [row["name"] for row in page["apps"]]
        after = page["next"]
        if not after:
            break
    assert found == sorted(found)
    assert {"demo/web-1", "demo/web-2", "demo/api"} <= set(found)
    full.ok("create", "app", "demo/aaa")  # what comes before does not shift what follows
    page = full.ok("list", "apps", "--limit", "1", "--after", found[0], "-o", "json").data
    assert [row["name"] for row in page["apps"]] == [found[1]]


@pytest.mark.parametrize(
    ("line", "known"),
    [
        (("networks",), "name, domain, apps, role"),
        (("vars", "demo/api"), "name, value, secret"),
        (("secrets", "--network", "demo"), "name, redacted, digest, version"),
        (("tokens",), "name, network, role"),
        (("members", "demo"), "name, network, role, state"),
    ],
)
def test_a_field_that_is_none_is_told_with_those_there_are(full: User, line: tuple[str, ...], known: str) -> None:
    ran = full.rig("list", *line, "--filter", "colour=red", "-o", "json")
    assert (ran.exit, ran.json["error"]["code"]) == (64, "usage")
    assert known in ran.json["error"]["hint"]


def test_the_node_filters_in_one_request_by_repeated_parameters(full: User) -> None:
    browser = Browser(full, owner_token(full))
    answer = browser.ask("GET", "/v1/apps?filter=name%3Dweb-*&filter=name%21%3D*-2&limit=1")
    assert [row["name"] for row in answer.json["apps"]] == ["demo/web-1"]
    assert answer.json["next"] == ""
    assert browser.ask("GET", "/v1/apps?filter=live").status == 422
