"""A change that asks for many releases: a few are made at once, and the rest waits, whatever becomes of the node."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.e2e.rig import User, web_app
from tests.support import wait_until

GATE = """\
import os, sys, time

# Goes on once the gate is open.
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
"""
APPS = ("crowd/a", "crowd/b", "crowd/c")


def phases(user: User) -> Counter[str]:
    apps = user.ok("status", "network", "crowd", "-o", "json").data["apps"]
    return Counter(app["phase"] for app in apps if app["deployment"])


def test_a_few_releases_are_made_at_once_and_the_rest_waits_its_turn(fresh: User, tmp_path: Path) -> None:
    user, gate = fresh, tmp_path / "gate"
    user.start_node("--isolation", "none", "--releases", "1")
    gate.touch()
    procfile = f"release: python gate.py {gate}\nweb: python main.py\n"
    for name in APPS:
        user.deploy(web_app(tmp_path / name, name, Procfile=procfile, gate__py=GATE), name)
    gate.unlink()
    made = user.ok("create", "var", "--network", "crowd", "REGION=eu", "--detach", "-o", "json").data["releases"]
    assert len(made) == 3

    half_way = Counter({"releasing": 1, "queued": 2})
    wait_until(lambda: phases(user) == half_way, "one is being made, the others wait")
    (queued, *_) = (app for app in APPS if user.ok("status", "app", app, "-o", "json").data["phase"] == "queued")
    assert user.ok("status", "app", queued, "-o", "json").data["waiting"] == 2
    assert "v2, waits for its turn: 2 releases in the queue" in user.ok("status", "app", queued).stdout

    user.kill_node()
    user.ok("node", "start", "--isolation", "none")
    assert user.ok("node", "status", "-o", "json").data["releases"] == 1
    wait_until(lambda: phases(user) == half_way, "the next node goes on as the one before")

    gate.touch()
    wait_until(lambda: not phases(user), "every release has had its turn")
    for name in APPS:
        assert user.ok("details", "app", name, "-o", "json").data["version"] == 2
        assert user.get(name) == (200, f"{name} /")
