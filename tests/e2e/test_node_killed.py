"""A node that is killed: apps and edge go on serving, and the next one takes them over."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from rig.kernel.processes import alive, start_time
from tests.e2e.rig import GATED, User, open_gate, web_app
from tests.support import TIMEOUT, wait_until


def instances(user: User, app: str) -> list[tuple[str, int, int]]:
    """Name, pid and port of each instance."""
    data = user.ok("status", "app", app, "-o", "json").data
    return [(i["name"], i["pid"], i["port"]) for i in data["instances"]]


def test_apps_and_edge_go_on_and_are_adopted(fresh: User, tmp_path: Path) -> None:
    fresh.start_node()
    fresh.deploy(web_app(tmp_path / "app"), "demo/app")
    before = instances(fresh, "demo/app")
    url = fresh.ok("details", "app", "demo/app", "-o", "json").data["url"]

    fresh.kill_node()
    assert fresh.get("demo/app") == (200, "one /")
    down = fresh.rig("list", "apps", "-o", "json")
    assert down.exit == 69
    assert "rig node start" in down.json["error"]["hint"]

    fresh.ok("node", "start")
    assert fresh.get("demo/app") == (200, "one /")
    assert instances(fresh, "demo/app") == before
    assert fresh.ok("details", "app", "demo/app", "-o", "json").data["url"] == url

    fresh.deploy(web_app(tmp_path / "app", "two"), "demo/app")
    assert fresh.get("demo/app") == (200, "two /")
    assert fresh.ok("history", "demo/app", "-o", "json").data["releases"][0]["version"] == 2


def test_no_request_is_lost_while_the_node_is_killed_and_started(fresh: User, tmp_path: Path) -> None:
    fresh.start_node()
    fresh.deploy(web_app(tmp_path / "app", "version 1"), "demo/app")
    with fresh.asker() as asker:
        for _ in range(2):
            before = asker.answered
            wait_until(lambda: asker.answered > before + 20, "requests are being answered")  # noqa: B023
            fresh.kill_node()
            fresh.ok("node", "start")
    assert asker.failures == []


def test_an_app_that_died_meanwhile_is_started_again(fresh: User, tmp_path: Path) -> None:
    fresh.start_node()
    fresh.deploy(web_app(tmp_path / "app"), "demo/app")
    [(_, pid, port)] = instances(fresh, "demo/app")
    fresh.kill_node()
    began = start_time(pid)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid, began), "the app has ended")
    fresh.ok("node", "start")
    wait_until(lambda: fresh.get("demo/app")[0] == 200, "the app serves again")
    [(_, another, same_port)] = instances(fresh, "demo/app")
    assert another != pid
    assert same_port == port


def test_a_release_that_was_being_made_comes_to_its_end(fresh: User, tmp_path: Path) -> None:
    """The node is killed in the middle of a build: the old version serves on, and the release is made once."""
    fresh.start_node()
    folder = web_app(tmp_path / "app")
    fresh.deploy(folder, "demo/app")
    web_app(folder, "two", rig__toml=GATED)
    deploying = fresh.spawn("deploy", str(folder), "--app", "demo/app", "-o", "json")

    def building() -> bool:
        status = fresh.ok("status", "app", "demo/app", "-o", "json").data
        return bool(status["deployment"] == 2 and status["phase"] == "building")

    wait_until(building, "v2 is being built")
    fresh.kill_node()
    assert fresh.get("demo/app") == (200, "one /")
    fresh.ok("node", "start")

    def over() -> bool:
        open_gate(fresh, "demo/app")
        newest = fresh.ok("history", "demo/app", "-o", "json").data["releases"][0]
        return bool(newest["outcome"] != "pending")

    wait_until(over, "v2 is over")
    deploying.communicate(timeout=TIMEOUT)
    releases = fresh.ok("history", "demo/app", "-o", "json").data["releases"]
    assert [(r["version"], r["outcome"]) for r in releases] == [(2, "succeeded"), (1, "succeeded")]
    assert fresh.get("demo/app") == (200, "two /")


def test_stop_ends_everything_and_start_brings_it_back(fresh: User, tmp_path: Path) -> None:
    fresh.start_node()
    fresh.deploy(web_app(tmp_path / "app"), "demo/app")
    [(_, pid, _)] = instances(fresh, "demo/app")
    began = start_time(pid)
    fresh.ok("node", "stop")
    assert not alive(pid, began)
    fresh.ok("node", "start")
    wait_until(lambda: fresh.get("demo/app")[0] == 200, "the app serves again")
