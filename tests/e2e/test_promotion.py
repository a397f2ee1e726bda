"""`rig promote` on a real node: the same build, the target's own variables, and nothing shared."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from rig.node.builder.model import BuildPaths
from tests.e2e.rig import Ran, User, project
from tests.e2e.test_variables import app, history, secret, some
from tests.security.people import Browser, join, owner_token
from tests.support import files_with, wait_until

TOML = '[env]\nCOLOR = "blue"\n[environments.staging.env]\nCOLOR = "green"\n[build]\ncommand = "date +%s%N > made"\n'


def two_apps(user: User, name: str, folder: Path, toml: str = TOML) -> tuple[str, str]:
    """An app that is deployed in one network, and an empty one in another."""
    source, target = f"{name}-staging/shop", f"{name}/shop"
    for network in (f"{name}-staging", name):
        user.ok("create", "network", network)
    user.ok("create", "app", target)
    user.deploy(app(folder, toml), source, "--env", "staging")
    return source, target


def promoted(user: User, source: str, target: str, *more: str) -> dict[str, Any]:
    data: dict[str, Any] = user.ok("promote", source, target, "--yes", "-o", "json", *more).data
    return data


def build_of(user: User, name: str, build: str) -> BuildPaths:
    network, _, leaf = name.partition("/")
    return BuildPaths(user.home / "node" / "networks" / network / "apps" / leaf, build)


def test_the_same_build_with_the_variables_of_the_target(user: User, tmp_path: Path) -> None:
    source, target = two_apps(user, "same", tmp_path / "app")
    user.ok("create", "var", source, "A=staging", "ONLY=staging")
    user.ok("create", "var", target, "A=production")
    secret(user, "of production", target, "KEY")

    planned = user.ok("promote", source, target, "--plan", "-o", "json").data
    assert planned["release"] is None
    assert {one["name"] for one in planned["plan"]["variables"]} == {"A", "COLOR", "KEY", "ONLY"}
    assert "of production" not in json.dumps(planned)
    assert history(user, target) == []

    release = promoted(user, source, target)["release"]
    assert (release["version"], release["rebuilt"], release["message"]) == (1, False, f"promoted from {source} v2")
    assert some(user, target, "A", "COLOR", "KEY", "ONLY") == ["production", "blue", "of production", None]
    build = release["build"]
    first, copy = build_of(user, source, build), build_of(user, target, build)
    assert (copy.source / "made").read_text() == (first.source / "made").read_text(), "nothing was built"
    assert (copy.source / "made").stat().st_ino != (first.source / "made").stat().st_ino
    assert f"{source} v2" in user.ok("details", "app", target).stdout

    again = promoted(user, source, target)
    assert (again["release"], again["plan"]["already"]) == (None, True)
    assert "Nothing was done" in user.ok("promote", source, target).stdout
    assert len(history(user, target)) == 1


def test_it_runs_as_the_user_of_the_target(user: User, tmp_path: Path) -> None:
    """What a build has made for its own eyes alone is readable to the app that gets it."""
    command = '[build]\ncommand = "umask 077; mkdir mine; echo whole > mine/file"\n'
    processes = '[processes]\nweb = "cat mine/file >&2; python main.py"\n[environments.staging]\n'
    source, target = two_apps(user, "owned", tmp_path / "app", command + processes)
    build = promoted(user, source, target)["release"]["build"]
    files = [build_of(user, name, build).source / "mine" / "file" for name in (source, target)]
    assert [file.read_text() for file in files] == ["whole\n"] * 2
    if os.geteuid() == 0:
        assert files[0].stat().st_uid != files[1].stat().st_uid
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600] * 2
    logs = user.home / "node" / "networks" / "owned" / "apps" / "shop" / "logs"
    wait_until(lambda: files_with(logs, "whole"), "what it has read is in its log")


def test_going_back_and_forth(user: User, tmp_path: Path) -> None:
    source, target = two_apps(user, "back", tmp_path / "app")
    user.deploy(app(tmp_path / "other", '[env]\nCOLOR = "own"\n'), target)
    user.ok("update", "app", target, "--scale", "web=2")
    promoted(user, source, target)
    assert some(user, target, "COLOR") == ["blue"]
    status = user.ok("status", "app", target, "-o", "json").data
    assert status["app"]["processes"] == {"web": 2}, "how many there are is the target's own affair"

    back = user.ok("rollback", target, "-o", "json").data
    assert back["release"]["rollback_of"] == 1
    assert some(user, target, "COLOR") == ["own"]
    user.ok("rollback", target, "v2")
    assert some(user, target, "COLOR") == ["blue"]
    promoted(user, source, target, "--message", "Again")
    user.deploy(app(tmp_path / "other"), target)
    promoted(user, source, target, "--release", "v1")
    user.ok("undo", "--yes")
    assert some(user, target, "COLOR") == [None]


def test_the_target_needs_the_source_no_more(user: User, tmp_path: Path) -> None:
    source, target = two_apps(user, "apart", tmp_path / "app")
    build = promoted(user, source, target)["release"]["build"]
    user.ok("node", "gc", "--older-than", "0s", "--keep", "1")
    user.ok("delete", "network", "apart-staging", "--cascade", "--yes")
    root = build_of(user, source, build).root
    wait_until(lambda: not root.exists(), "what the source had is put away")
    user.ok("restart", target)
    user.ok("create", "var", target, "A=1")
    assert some(user, target, "A", "COLOR") == ["1", "blue"]
    user.ok("node", "gc", "--older-than", "0s", "--keep", "1")
    assert build_of(user, target, build).record.exists()
    gone = user.rig("promote", source, target, "--yes")
    assert gone.exit == 66
    assert source in gone.stderr


def test_a_build_that_the_target_made_itself_is_another_one(user: User, tmp_path: Path) -> None:
    folder = app(tmp_path / "app", '[build]\ncommand = "date +%s%N > made"\n')
    user.ok("create", "network", "twice")
    for name in ("twice/staging", "twice/shop"):
        user.deploy(folder, name)
    own, tested = (
        user.ok("history", f"twice/{n}", "-o", "json").data["releases"][0]["build"] for n in ("shop", "staging")
    )
    assert own == tested
    release = promoted(user, "twice/staging", "twice/shop")["release"]
    assert release["build"] == f"{own}-p2"
    made = (build_of(user, "twice/shop", release["build"]).source / "made").read_text()
    assert made == (build_of(user, "twice/staging", tested).source / "made").read_text()
    assert made != (build_of(user, "twice/shop", own).source / "made").read_text()


def test_a_release_that_fails_leaves_what_serves(user: User, tmp_path: Path) -> None:
    main = 'import os\nassert os.environ.get("OK")\n'
    source, target = two_apps(user, "fails", tmp_path / "app")
    user.ok("create", "var", source, "OK=1")
    shop = project(tmp_path / "app", {"main.py": main + (tmp_path / "app/main.py").read_text()})
    user.deploy(app(tmp_path / "first"), target)
    user.deploy(shop, source)
    failed = user.rig("promote", source, target, "--yes", "-o", "json")
    assert failed.exit == 1
    assert failed.json["error"]["code"] == "app_crashed"
    assert user.get(target)[0] == 200
    user.ok("create", "var", target, "OK=1")
    assert promoted(user, source, target)["release"]["outcome"] == "succeeded"


def test_it_takes_the_right_to_read_the_one_and_to_deploy_the_other(user: User, tmp_path: Path) -> None:
    source, target = two_apps(user, "rights", tmp_path / "app")
    reader = Browser(user, join(user, "the-reader", "rights", "viewer"))
    deployer = Browser(user, join(user, "the-deployer", "rights", "deployer"))
    path = f"/v1/apps/{target}/promotions"
    body = json.dumps({"source": source, "version": 1}).encode()
    for browser in (reader, deployer):
        hidden = browser.ask("GET", f"{path}?source={source}")
        missing = browser.ask("GET", f"{path}?source=nowhere/shop")
        assert (hidden.status, missing.status) == (404, 404)
        assert hidden.text.replace(source, "nowhere/shop") == missing.text
    assert reader.ask("POST", path, body).status == 403
    assert deployer.ask("POST", path, body).status == 404
    owner = Browser(user, owner_token(user))
    assert owner.ask("POST", path, body, {"Idempotency-Key": "k"}).json["version"] == 1
    assert owner.ask("POST", path, body, {"Idempotency-Key": "k"}).json["version"] == 1
    stale = owner.ask("POST", path, json.dumps({"source": source, "version": 1, "seen": 7}).encode())
    assert stale.status in (412, 423)


@pytest.mark.parametrize(
    ("given", "exit_code", "said"),
    [
        (("demo/none", "demo/other", "--yes"), 66, "rig create app demo/other"),
        (("demo/here", "demo/here", "--yes"), 73, "to itself"),
        (("demo/here", "demo/there", "--yes"), 73, "nothing to promote"),
        (("demo/here", "demo/there", "--release", "v3", "--yes"), 66, "no release v3"),
        (("demo/here", "demo/there", "--release", "three"), 64, "--release"),
        (("demo/here",), 64, "Which app is the TARGET?"),
        ((), 64, "SOURCE"),
    ],
)
def test_what_cannot_be_promoted(user: User, given: tuple[str, ...], exit_code: int, said: str) -> None:
    for name in ("demo/here", "demo/there"):
        user.rig("create", "app", name)
    ran: Ran = user.rig("promote", *given)
    assert ran.exit == exit_code, ran.stderr
    assert said in ran.stderr


def test_without_isolation_what_was_installed_runs_in_its_new_place(fresh: User, tmp_path: Path) -> None:
    fresh.start_node("--isolation", "none")
    files = {
        "requirements.txt": "gunicorn\n",
        "app.py": (
            "import sys, gunicorn\n"
            "def app(environ, start):\n"
            "    start('200 OK', [])\n"
            "    return [repr([gunicorn.__file__, sys.prefix, __file__]).encode()]\n"
        ),
        "Procfile": "web: gunicorn --bind 127.0.0.1:$PORT app:app\n",
    }
    fresh.deploy(project(tmp_path / "app", files), "staging/shop")
    fresh.ok("create", "network", "demo")
    fresh.ok("create", "app", "demo/shop")
    promoted(fresh, "staging/shop", "demo/shop")
    fresh.ok("delete", "network", "staging", "--cascade", "--yes")
    fresh.ok("restart", "demo/shop")
    status, body = fresh.get("demo/shop")
    assert status == 200
    assert body.count("/demo/apps/shop/") == 3
    assert "staging" not in body
