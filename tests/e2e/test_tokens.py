"""A CI job on a real node: a token of its own, what it may do, and its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.rig import User, example
from tests.support import files_with


def job(user: User, token: str) -> Mapping[str, str]:
    """The environment of a job on another machine: nothing of the user's own logins."""
    home = user.home.parent / "job"
    return {"RIG_HOME": str(home), "RIG_URL": user.node.api, "RIG_TOKEN": token}


def test_a_job_deploys_with_a_token_until_it_is_deleted(user: User, tmp_path: Path) -> None:
    made = user.ok("create", "token", "ci", "--network", "demo", "--role", "deployer", "--ttl", "90d")
    token = made.stdout.strip()
    assert token not in made.stderr
    env = job(user, token)

    who = json.loads(user.rig("whoami", "-o", "json", env=env).stdout)["data"]
    assert (who["actor"], who["roles"]) == ("token:ci", {"demo": "deployer"})
    assert who["expires_at"]
    site = str(example("hello-static", tmp_path))
    deployed = user.rig("deploy", site, "--app", "demo/by-ci", "--create", env=env)
    assert deployed.exit == 0, deployed.stderr
    history = user.ok("history", "demo/by-ci", "-o", "json").data["releases"]
    assert [release["created_by"] for release in history] == ["token:ci"]

    # Neither another network, nor a way in that would outlive it.
    user.ok("create", "network", "other")
    assert user.rig("create", "app", "other/site", env=env).exit == 66
    assert user.rig("create", "network", "third", env=env).exit == 77
    assert user.rig("create", "token", "more", "--network", "demo", env=env).exit == 77
    assert json.loads(user.rig("list", "tokens", "-o", "json", env=env).stdout)["data"]["tokens"] == []

    (row,) = user.ok("list", "tokens", "--filter", "name=ci", "-o", "json").data["tokens"]
    assert (row["name"], row["role"], row["network"]) == ("ci", "deployer", "demo")
    assert row["used_at"]
    user.ok("delete", "token", "ci", "--yes")
    refused = user.rig("status", "app", "demo/by-ci", "-o", "json", env=env)
    assert (refused.exit, refused.json["error"]["code"]) == (4, "login_required")
    assert files_with(user.home.parent, token) == []


def test_an_owner_s_token_makes_neither_tokens_nor_people(user: User) -> None:
    token = user.ok("create", "token", "root", "--network", "*", "--role", "owner").stdout.strip()
    env = job(user, token)
    assert user.rig("create", "network", "by-root", env=env).exit == 0
    for line in ("create token more --network by-root", "node invite bea"):
        refused = user.rig(*line.split(), "-o", "json", env=env)
        assert (refused.exit, refused.json["error"]["code"]) == (77, "forbidden")


def test_a_login_with_a_token_ends_on_this_machine_alone(user: User) -> None:
    token = user.ok("create", "token", "runner", "--network", "demo", "--role", "viewer").stdout.strip()
    env = {"RIG_HOME": str(user.home.parent / "runner")}
    assert user.rig("login", user.node.api, "--token-stdin", stdin=token + "\n", env=env).exit == 0
    assert user.rig("details", "network", "demo", env=env).exit == 0
    assert user.rig("logout", env=env).exit == 0
    assert user.rig("details", "network", "demo", env=env).exit == 4
    assert user.rig("whoami", env=job(user, token)).exit == 0, "what was given to rig is not rig's to end"


def test_a_network_that_is_deleted_takes_its_tokens_along(user: User) -> None:
    user.ok("create", "network", "brief")
    token = user.ok("create", "token", "brief-ci", "--network", "brief").stdout.strip()
    user.ok("delete", "network", "brief", "--yes")
    user.ok("create", "network", "brief")
    assert user.rig("whoami", env=job(user, token)).exit == 4
