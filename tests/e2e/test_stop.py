"""An app that is stopped, started and restarted, as those see it who ask for its page."""

from __future__ import annotations

from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests.e2e.rig import User, web_app
from tests.support import wait_until

APP = "demo/pausing"


def pids(user: User) -> list[int]:
    return [one["pid"] for one in user.ok("status", "app", APP, "-o", "json").data["instances"]]


def test_stopped_started_and_restarted(user: User, tmp_path: Path) -> None:
    user.deploy(web_app(tmp_path / "web"), APP)
    assert user.get(APP) == (200, "one /")

    assert user.ok("stop", APP, "-o", "json").data["status"] == "stopped"
    wait_until(lambda: user.get(APP)[0] == 503, "the address says that it is stopped")
    assert f"rig start {APP}" in user.get(APP)[1]
    wait_until(lambda: pids(user) == [], "its processes have ended")

    user.ok("start", APP)
    wait_until(lambda: user.get(APP) == (200, "one /"), "it serves again")
    (before,) = pids(user)

    user.ok("restart", APP)
    answers = []

    def replaced() -> bool:
        answers.append(user.get(APP)[0])
        now = pids(user)
        return len(now) == 1 and before not in now

    wait_until(replaced, "another process has taken its place")
    assert set(answers) == {200}, "there was no gap"
    assert [release["version"] for release in user.ok("history", APP, "-o", "json").data["releases"]] == [1]


def test_a_network_that_is_deleted_with_its_apps_leaves_nothing(user: User, tmp_path: Path) -> None:
    user.ok("create", "network", "brief")
    for name in ("one", "two"):
        user.deploy(web_app(tmp_path / name, name), f"brief/{name}")
    assert user.rig("delete", "network", "brief", "--yes").exit == 73
    running = psutil.Process(user.ok("status", "app", "brief/one", "-o", "json").data["instances"][0]["pid"])
    user.ok("delete", "network", "brief", "--cascade", "--yes")
    wait_until(lambda: not running.is_running(), "its processes have ended")
    assert user.rig("status", "app", "brief/one").exit == 66
    user.ok("create", "network", "brief")
    assert user.ok("list", "apps", "--network", "brief", "-o", "json").data["apps"] == []
