"""Somebody with a role in one network who sends more than anybody needs: the others notice nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from rig.node.rules import MAX_APPS
from tests.e2e.rig import User, running
from tests.security.people import Answer, Browser, join


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    with running(tmp_path_factory.mktemp("floods") / "home", "--isolation", "none") as user:
        for network in ("demo", "crowd", "other"):
            user.ok("create", "network", network)
        yield user


def change(token: str, user: User, path: str, **body: Any) -> Answer:
    return Browser(user, token).ask("POST", path, json.dumps(body).encode())


def test_a_pattern_is_not_tried_in_every_way(user: User) -> None:
    """With one that goes back over its stars the node would answer nobody any more."""
    deployer, viewer = join(user, "the-deployer", "demo", "deployer"), join(user, "the-viewer", "demo", "viewer")
    document = {"network": "demo", "env": {"LONG": "a" * 60_000}}
    assert change(deployer, user, "/v1/networks/demo/config/apply", document=document).status == 200
    query = urlencode({"filter": "value=" + "*a" * 90 + "*b"})
    answer = Browser(user, viewer).ask("GET", f"/v1/networks/demo/variables?{query}")
    assert (answer.status, answer.json["vars"]) == (200, [])


def test_a_network_holds_so_many_apps_and_no_more(user: User) -> None:
    token = join(user, "the-flood", "crowd", "deployer")
    apply = "/v1/networks/crowd/config/apply"

    def document(apps: int) -> dict[str, Any]:
        return {"network": "crowd", "apps": {f"app{number}": {} for number in range(apps)}}

    refused = change(token, user, apply, document=document(MAX_APPS + 1))
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert json.loads(user.ok("list", "apps", "-o", "json").stdout)["data"]["apps"] == []
    assert change(token, user, apply, document=document(MAX_APPS)).status == 200
    for path, body in (
        ("/v1/apps", {"app": "crowd/more"}),
        (apply, {"document": document(MAX_APPS + 1)}),
    ):
        assert change(token, user, path, **body).status == 409
    user.ok("create", "app", "other/app")
    user.ok("delete", "app", "crowd/app7", "--yes")
    assert change(token, user, "/v1/apps", app="crowd/more").status == 201
