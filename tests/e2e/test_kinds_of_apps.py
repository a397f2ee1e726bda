"""Each kind of app from folder to URL: deployed, updated, rolled back, deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.rig import User, example


def lives(user: User, app: str, folder: Path, *, page: str, edit: tuple[str, str, str]) -> None:
    """The whole life of one app. ``edit`` is the file to change, what stands there, and what is to stand there."""
    first = user.deploy(folder, app, "-m", "the first")
    assert first.data["version"] == 1
    assert first.data["release"]["rebuilt"]
    assert user.ok("details", "app", app, "-o", "json").data["url"] == first.data["url"]
    status, body = user.get(app)
    assert (status, page in body) == (200, True), body

    name, old, new = edit
    path = folder / name
    path.write_text(path.read_text().replace(old, new))
    second = user.deploy(folder, app, "-m", "a new greeting")
    assert second.data["sent"] < first.data["sent"], "what is there already is not sent again"
    assert new in user.get(app)[1]
    assert "source" in second.data["release"]["changed"]

    back = user.ok("rollback", app, "-o", "json").data
    assert (back["release"]["version"], back["release"]["rollback_of"], back["release"]["rebuilt"]) == (3, 1, False)
    assert back["undo"] == f"rig rollback {app} v2"
    assert back["restored"]
    assert back["not_restored"]
    body = user.get(app)[1]
    assert old in body
    assert new not in body

    user.ok(*back["undo"].split()[1:])
    assert new in user.get(app)[1]
    history = user.ok("history", app, "-o", "json").data["releases"]
    assert [(r["version"], r["outcome"], r["current"]) for r in history] == [
        (4, "succeeded", True),
        (3, "succeeded", False),
        (2, "succeeded", False),
        (1, "succeeded", False),
    ]
    assert all(r["created_by"].startswith("user:") and r["bundle"] and r["created_at"] for r in history)
    assert user.ok("logs", "build", app, "v1").stdout

    user.ok("delete", "app", app, "--yes")
    assert user.get(app)[0] == 404
    assert user.rig("status", "app", app).exit == 66


def test_python_with_dependencies_behind_gunicorn(user: User, tmp_path: Path) -> None:
    folder = example("hello-python", tmp_path)
    lives(user, "demo/py", folder, page="Hello", edit=("rig.toml", "Hello", "Good morning"))


@pytest.mark.needs("node", "npm")
def test_node_with_express(user: User, tmp_path: Path) -> None:
    folder = example("hello-node", tmp_path)
    assert "express" in json.loads((folder / "package.json").read_text())["dependencies"]
    lives(user, "demo/js", folder, page="Hello", edit=("server.js", "Hello", "Good morning"))


def test_static_site(user: User, tmp_path: Path) -> None:
    folder = example("hello-static", tmp_path)
    lives(user, "demo/site", folder, page="Hello", edit=("public/index.html", "Hello", "Good morning"))
