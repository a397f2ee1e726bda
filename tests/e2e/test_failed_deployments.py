"""A deployment that fails says why, shows the last lines, exits with 1, and leaves the old version serving."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import User, project, web_app
from tests.support import free_port


@pytest.fixture
def app(user: User, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    """An app whose first version serves."""
    name = "demo/" + request.node.name.removeprefix("test_").replace("_", "-")
    folder = web_app(tmp_path / "frail")
    user.deploy(folder, name)
    assert user.get(name) == (200, "one /")
    yield name, folder
    user.ok("delete", "app", name, "--yes")


def fails(user: User, app: tuple[str, Path], *, code: str, reason: str, output: str) -> None:
    """Deploy, and see it refused for people and for machines alike."""
    name, folder = app
    for_people = user.rig("deploy", str(folder), "--app", name)
    assert for_people.exit == 1
    assert for_people.stdout == ""
    assert reason in for_people.stderr
    assert output in for_people.stderr
    assert "v1 still serves" in for_people.stderr
    assert "hint:" in for_people.stderr

    for_machines = user.rig("deploy", str(folder), "--app", name, "--force", "-o", "json")
    assert for_machines.exit == 1
    error = for_machines.json["error"]
    assert (error["code"], error["exit"]) == (code, 1)
    assert reason in error["message"]
    assert any(output in line for line in error["details"]["output"])
    assert for_machines.json["data"] is None

    assert user.get(name) == (200, "one /")
    newest = user.ok("history", name, "-o", "json").data["releases"][0]
    assert (newest["outcome"], newest["code"], newest["current"]) == ("failed", code, False)
    assert reason in newest["reason"]
    status = user.ok("status", "app", name, "-o", "json").data
    assert [(i["name"], i["version"], i["state"]) for i in status["instances"]] == [("web.1", 1, "up")]


def test_build_that_fails(user: User, app: tuple[str, Path]) -> None:
    project(app[1], {"rig.toml": "[build]\ncommand = \"echo compiling; echo 'no rule to make it' >&2; exit 3\"\n"})
    fails(user, app, code="build_failed", reason="3", output="no rule to make it")
    assert "no rule to make it" in user.ok("logs", "build", app[0]).stdout


def test_build_that_takes_too_long(user: User, app: tuple[str, Path]) -> None:
    project(app[1], {"rig.toml": '[build]\ncommand = "echo waiting for godot; sleep 600"\ntimeout = 8\n'})
    fails(user, app, code="build_timeout", reason="8 s", output="waiting for godot")


def test_dependency_that_does_not_exist(user: User, app: tuple[str, Path]) -> None:
    project(app[1], {"requirements.txt": "no-such-distribution-as-this-one==0.0.0\n"})
    fails(user, app, code="build_failed", reason="dependencies failed", output="no-such-distribution-as-this-one")


def test_release_command_that_fails(user: User, app: tuple[str, Path]) -> None:
    project(app[1], {"Procfile": "web: python main.py\nrelease: echo migrating; echo table is gone; exit 7\n"})
    fails(user, app, code="release_failed", reason="exit 7", output="table is gone")
    assert "table is gone" in user.ok("logs", "build", app[0]).stdout


def test_crash_at_boot(user: User, app: tuple[str, Path]) -> None:
    project(app[1], {"main.py": "import sys\nprint('about to go')\nsys.exit('no DATABASE_URL given')\n"})
    fails(user, app, code="app_crashed", reason="exit 1", output="no DATABASE_URL given")


def test_wrong_port(user: User, app: tuple[str, Path]) -> None:
    free = free_port()
    source = (app[1] / "main.py").read_text().replace('int(os.environ["PORT"])', str(free))
    # It is looked for elsewhere after a quarter of the time.
    project(app[1], {"main.py": source, "rig.toml": "[health]\ntimeout = 32\n"})
    fails(user, app, code="wrong_port", reason=str(free), output=f"listening on {free}")


def test_never_healthy(user: User, app: tuple[str, Path]) -> None:
    source = (app[1] / "main.py").read_text().replace("send_response(200)", "send_response(503)")
    project(app[1], {"main.py": source, "rig.toml": '[health]\npath = "/ready"\ntimeout = 8\n'})
    fails(user, app, code="unhealthy", reason="503", output="listening on")


def test_one_of_two_processes_crashes(user: User, app: tuple[str, Path]) -> None:
    """A release is whole or not at all: the web process is healthy, its worker is not."""
    project(app[1], {"Procfile": "web: python main.py\nworker: echo no queue; exit 4\n"})
    fails(user, app, code="app_crashed", reason="exit 4", output="no queue")
