"""An app that is stopped, started, restarted and scaled, as those see it who ask for its page: when a command says that
it is done, it is."""

from __future__ import annotations

from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests.e2e.rig import WEB, User, project, web_app
from tests.support import wait_until

APP = "demo/pausing"
FRAGILE = f"""\
import os, sys

if os.path.exists(os.path.expanduser("~/broken")):
    sys.exit("it is broken")
{WEB}"""


def pids(user: User, app: str = APP) -> list[int]:
    return [one["pid"] for one in user.ok("status", "app", app, "-o", "json").data["instances"]]


def test_stopped_started_restarted_and_scaled(user: User, tmp_path: Path) -> None:
    user.deploy(web_app(tmp_path / "web"), APP)
    assert user.get(APP) == (200, "one /")

    assert user.ok("stop", APP, "-o", "json").data["status"] == "stopped"
    status, page = user.get(APP)
    assert status == 503
    assert f"rig start {APP}" in page
    assert pids(user) == []

    user.ok("start", APP)
    assert user.get(APP) == (200, "one /")
    (before,) = pids(user)

    restarting = user.spawn("restart", APP)
    answers = [user.get(APP)[0]]
    while restarting.poll() is None:
        answers.append(user.get(APP)[0])
    assert (restarting.communicate()[0], restarting.returncode) == (
        f"{APP} is restarted; its new processes serve.\n",
        0,
    )
    assert set(answers) == {200}, "there was no gap"
    wait_until(lambda: before not in pids(user) and len(pids(user)) == 1, "another process has taken its place")
    assert [release["version"] for release in user.ok("history", APP, "-o", "json").data["releases"]] == [1]

    assert user.ok("update", "app", APP, "--scale", "web=3", "-o", "json").data["processes"] == {"web": 3}
    assert len(pids(user)) == 3
    user.ok("update", "app", APP, "--scale", "web=1")
    assert len(pids(user)) == 1


def test_what_does_not_come_off_is_said(user: User, tmp_path: Path) -> None:
    app = "demo/fragile"
    files = {"main.py": FRAGILE, "requirements.txt": "", "Procfile": "web: python main.py\n"}
    user.deploy(project(tmp_path / "fragile", files), app)
    (before,) = pids(user, app)
    (home,) = (user.home / "node").glob("networks/demo/apps/fragile/home")
    (home / "broken").touch()

    failed = user.rig("restart", app, "-o", "json")
    assert (failed.exit, failed.json["error"]["code"]) == (1, "app_crashed")
    assert failed.json["error"]["message"].endswith("What ran before still serves.")
    assert "it is broken" in failed.json["error"]["details"]["output"]
    assert (pids(user, app), user.get(app)[0]) == ([before], 200)
    assert user.ok("status", "app", app, "-o", "json").data["trouble"]["code"] == "app_crashed"

    user.ok("stop", app)
    failed = user.rig("start", app)
    assert failed.exit == 1
    assert f"{app} could not be started" in failed.stderr
    (home / "broken").unlink()
    user.ok("restart", app)
    assert user.get(app)[0] == 200
    assert user.ok("status", "app", app, "-o", "json").data["trouble"] is None


def test_who_does_not_wait_is_told_how_to_look(user: User, tmp_path: Path) -> None:
    app = "demo/unwatched"
    user.deploy(web_app(tmp_path / "web"), app)
    ran = user.ok("restart", app, "--no-wait", "-o", "json")
    assert ran.data["working"] == "restarting"
    wait_until(lambda: not user.ok("details", "app", app, "-o", "json").data["working"], "it is done")


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
