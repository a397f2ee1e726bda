"""A deployment that is cut off on the client's side: gone on with, or settled by whatever comes next, made once."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import User, project, web_app
from tests.support import TIMEOUT, wait_until

SLOW = '[build]\ncommand = "sh gate.sh"\n'


def gated(folder: Path, version: str, gate: Path) -> Path:
    """A web app whose build waits until ``gate`` is there. It can see it, since there is no isolation."""
    web_app(folder, version, rig__toml=SLOW)
    project(folder, {"gate.sh": f"until [ -e {gate} ]; do sleep 0.1; done\n"})
    return folder


def releases(user: User, app: str) -> list[tuple[int, str]]:
    return [(r["version"], r["outcome"]) for r in user.ok("history", app, "-o", "json").data["releases"]]


def phase(user: User, app: str) -> str:
    return str(user.ok("status", "app", app, "-o", "json").data["phase"])


def audit(user: User, app: str) -> list[dict[str, Any]]:
    # The record of this machine, since the node may be one that does not answer.
    words = ("audit", "--all", "--record", "local", "--target", app, "--type", "deploy", "-o", "json")
    entries: list[dict[str, Any]] = user.ok(*words).data["entries"]
    return entries


def outcomes(user: User, app: str) -> list[str]:
    return [entry["outcome"] for entry in audit(user, app)]


@pytest.fixture
def open_user(fresh: User) -> User:
    """A user whose node runs without isolation, so that a build can wait for a file of the test's."""
    fresh.start_node("--isolation", "none")
    return fresh


def test_killed_while_it_builds_and_resumed(open_user: User, tmp_path: Path) -> None:
    user, gate = open_user, tmp_path / "gate"
    folder = gated(tmp_path / "app", "one", gate)
    deploying = user.spawn("deploy", str(folder), "--app", "demo/app", "--create", "-m", "by hand")
    wait_until(lambda: user.rig("status", "app", "demo/app").exit == 0, "the app is there")
    wait_until(lambda: phase(user, "demo/app") == "building", "it is being built")
    deploying.kill()
    deploying.communicate()
    assert outcomes(user, "demo/app") == ["unknown"]

    resumed = user.spawn("deploy", str(folder), "--app", "demo/app", "--resume", "-o", "json")
    gate.touch()
    stdout, stderr = resumed.communicate(timeout=TIMEOUT)
    assert resumed.returncode == 0, stderr
    assert '"resumed": true' in stdout
    assert releases(user, "demo/app") == [(1, "succeeded")]
    assert user.get("demo/app") == (200, "one /")
    assert outcomes(user, "demo/app") == ["success", "success"]
    assert user.ok("journal", "verify", "-o", "json").data["verdict"] == "verified"


def test_killed_and_settled_by_the_next_command(open_user: User, tmp_path: Path) -> None:
    user, gate = open_user, tmp_path / "gate"
    folder = gated(tmp_path / "app", "one", gate)
    deploying = user.spawn("deploy", str(folder), "--app", "demo/app", "--create")
    wait_until(lambda: user.rig("status", "app", "demo/app").exit == 0, "the app is there")
    wait_until(lambda: phase(user, "demo/app") == "building", "it is being built")
    deploying.kill()
    deploying.communicate()
    assert user.ok("whoami", "-o", "json").json["warnings"] == []
    assert outcomes(user, "demo/app") == ["unknown"]

    gate.touch()
    wait_until(lambda: releases(user, "demo/app") == [(1, "succeeded")], "it serves")
    wait_until(lambda: outcomes(user, "demo/app") == ["success"], "its end is on the record here")
    local = user.ok("audit", "--all", "--target", "demo/app", "-o", "json").data["entries"]
    assert {"deploy", "deploy.started", "deploy.succeeded"} <= {entry["action"] for entry in local}
    [settled] = audit(user, "demo/app")
    assert settled["ended_at"]


def test_killed_before_anything_was_accepted(open_user: User, tmp_path: Path) -> None:
    """The node is stopped dead while the client asks it for what it lacks; then the client is killed."""
    user = open_user
    user.ok("create", "network", "demo")
    user.ok("create", "app", "demo/app")
    folder = web_app(tmp_path / "app")
    node = user.node.pid
    os.kill(node, signal.SIGSTOP)
    try:
        deploying = user.spawn("deploy", str(folder), "--app", "demo/app")
        wait_until(lambda: outcomes(user, "demo/app") == ["unknown"], "the intent is on the record")
        deploying.kill()
        deploying.communicate()
    finally:
        os.kill(node, signal.SIGCONT)
    said = user.ok("whoami", "-o", "json").json["warnings"]
    assert len(said) == 1
    assert "nothing came of it" in said[0]
    assert outcomes(user, "demo/app") == ["failure"]
    assert user.ok("history", "demo/app", "-o", "json").data["releases"] == []
    nothing = user.rig("deploy", str(folder), "--app", "demo/app", "--resume")
    assert nothing.exit == 66
    assert "rig deploy --app demo/app" in nothing.stderr


def test_resume_of_what_never_arrived_keeps_what_was_said(open_user: User, tmp_path: Path) -> None:
    user = open_user
    folder = web_app(tmp_path / "app")
    node = user.node.pid
    os.kill(node, signal.SIGSTOP)
    try:
        deploying = user.spawn("deploy", str(folder), "--app", "demo/app", "--create", "-m", "for the launch")
        wait_until(lambda: outcomes(user, "demo/app") == ["unknown"], "the intent is on the record")
        deploying.kill()
        deploying.communicate()
    finally:
        os.kill(node, signal.SIGCONT)
    user.ok("deploy", str(folder), "--app", "demo/app", "--resume")
    [release] = user.ok("history", "demo/app", "-o", "json").data["releases"]
    assert (release["version"], release["outcome"], release["message"]) == (1, "succeeded", "for the launch")
    assert outcomes(user, "demo/app") == ["success", "success"]


def test_detached_and_resumed(open_user: User, tmp_path: Path) -> None:
    user, gate = open_user, tmp_path / "gate"
    folder = gated(tmp_path / "app", "one", gate)
    off = user.deploy(folder, "demo/app", "--detach")
    assert off.data["detached"]
    assert off.data["release"]["outcome"] == "pending"
    gate.touch()
    done = user.rig("deploy", str(folder), "--app", "demo/app", "--resume", "-o", "json")
    # It may be over by now; then there is nothing to go on with, and the history says how it ended.
    assert done.exit in {0, 66}
    wait_until(lambda: releases(user, "demo/app") == [(1, "succeeded")], "it serves")


def test_the_second_deployment_is_told_of_the_first_and_can_wait(open_user: User, tmp_path: Path) -> None:
    user, gate = open_user, tmp_path / "gate"
    first = gated(tmp_path / "first", "one", gate)
    second = web_app(tmp_path / "second", "two")
    user.deploy(first, "demo/app", "--detach", "-m", "the launch")
    refused = user.rig("deploy", str(second), "--app", "demo/app", "-o", "json")
    error = refused.json["error"]
    assert (refused.exit, error["code"], error["retryable"]) == (75, "locked", True)
    assert "the launch" in error["message"]
    assert error["details"]["holder"].startswith("user:")
    day, _, time = error["details"]["since"].partition("T")
    assert f"since {day} {time[:8]}Z" in error["message"]

    waiting = user.spawn("deploy", str(second), "--app", "demo/app", "--lock-wait", "120", "-o", "json")
    wait_until(lambda: outcomes(user, "demo/app")[0] == "unknown", "the second one is under way")
    gate.touch()
    _, stderr = waiting.communicate(timeout=TIMEOUT)
    assert waiting.returncode == 0, stderr
    assert releases(user, "demo/app") == [(2, "succeeded"), (1, "succeeded")]
    assert user.get("demo/app") == (200, "two /")


def test_a_lock_that_is_not_let_go_in_time(open_user: User, tmp_path: Path) -> None:
    user, gate = open_user, tmp_path / "gate"
    user.deploy(gated(tmp_path / "first", "one", gate), "demo/app", "--detach")
    late = user.rig("deploy", str(web_app(tmp_path / "second")), "--app", "demo/app", "--lock-wait", "1")
    assert late.exit == 75
    gate.touch()
    wait_until(lambda: releases(user, "demo/app") == [(1, "succeeded")], "the first one ends")


def test_the_answer_is_lost_and_the_release_is_made_once(open_user: User, tmp_path: Path) -> None:
    """A retry under the same key, as after a lost answer, gets the first release."""
    import http.client
    import json

    user = open_user
    folder = web_app(tmp_path / "app")
    user.deploy(folder, "demo/app")
    bundle = user.ok("history", "demo/app", "-o", "json").data["releases"][0]["bundle"]
    token = json.loads((user.home / "tokens" / "local.json").read_text())["access_token"]
    versions = set()
    for _ in range(3):
        connection = http.client.HTTPConnection(user.node.api.removeprefix("http://"), timeout=TIMEOUT)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "same", "Content-Type": "application/json"}
        connection.request("POST", "/v1/apps/demo/app/releases", json.dumps({"bundle": bundle}), headers)
        answer = connection.getresponse()
        assert answer.status == 202
        versions.add(json.loads(answer.read())["version"])
        connection.close()
    assert versions == {2}
    wait_until(lambda: releases(user, "demo/app") == [(2, "succeeded"), (1, "succeeded")], "one release was made")
