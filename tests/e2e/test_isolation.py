"""What an app and a build can see: their own, and nothing of rig's or of another app."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rig.node.builder.settings import ALLOWED
from tests.e2e.rig import User, project

PROBE = """\
import http.server, json, os, sys

def readable(path):
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
    except OSError as error:
        return error.strerror
    return "readable"

def environments():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found[pid] = open(f"/proc/{pid}/environ").read().replace("\\0", "\\n")
        except OSError as error:
            found[pid] = error.strerror
    return found

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        paths = json.loads(self.headers.get("X-Paths", "[]"))
        answer = {"env": dict(os.environ), "paths": {path: readable(path) for path in paths},
                  "environments": environments() if paths else {}, "uid": os.getuid(), "cwd": os.getcwd()}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""

BUILD = """\
import json, os
import main
paths = json.load(open("paths.json"))
print("PROBE", json.dumps({"env": dict(os.environ), "paths": {p: main.readable(p) for p in paths},
                           "environments": main.environments() if paths else {}}))
"""

CANARY = "canary-7f3a"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> User:
    """A user whose own environment holds secrets."""
    home = tmp_path_factory.mktemp("watched") / "home"
    home.mkdir()
    return User(home, {"AWS_SECRET_ACCESS_KEY": CANARY, "RIG_TOKEN": "", "GITHUB_TOKEN": CANARY, "RIG_NOTE": CANARY})


def deploy_probe(user: User, app: str, folder: Path, paths: list[str]) -> dict[str, object]:
    """Deploy the probe; gives what its build saw."""
    project(
        folder,
        {
            "main.py": PROBE,
            "look.py": BUILD,
            "requirements.txt": "",
            "Procfile": "web: python main.py\n",
            "paths.json": json.dumps(paths),
            "rig.toml": '[build]\ncommand = "python look.py"\n[env]\nCOLOUR = "green"\n',
        },
    )
    user.deploy(folder, app, "--force")
    log = user.ok("logs", "build", app).stdout
    [line] = [line for line in log.splitlines() if line.startswith("PROBE ")]
    seen: dict[str, object] = json.loads(line.removeprefix("PROBE "))
    return seen


def look(user: User, app: str, paths: list[str]) -> dict[str, object]:
    """What the running app sees."""
    status, body = user.get(app, headers={"X-Paths": json.dumps(paths)})
    assert status == 200
    seen: dict[str, object] = json.loads(body)
    return seen


def check_environment(seen: dict[str, object], *extra: str) -> None:
    """The environment is the app's own: nothing of rig's, nothing of the user's."""
    env = seen["env"]
    assert isinstance(env, dict)
    allowed = {
        "PATH",
        "HOME",
        "LANG",
        "LC_CTYPE",
        "COLOUR",
        "PYTHONUNBUFFERED",
        "VIRTUAL_ENV",
        "TMPDIR",
        "PWD",
        "SHLVL",
        "_",
    }
    network = {name for name in env if name in ALLOWED}
    assert set(env) - network <= allowed | {*extra}
    assert env["COLOUR"] == "green"
    assert not any(name.startswith("RIG") for name in env)
    assert CANARY not in json.dumps(seen)


@pytest.mark.needs("bwrap")
def test_with_isolation_nothing_of_others_can_be_read(watched: User, tmp_path: Path) -> None:
    user = watched
    try:
        user.start_node("--isolation", "bubblewrap")
        root = user.home / "node"
        other = project(tmp_path / "other", {"index.html": "secret of another app", "rig.toml": ""})
        user.deploy(other, "demo/other")
        paths = [
            str(user.home),
            str(root),
            str(root / "bootstrap.secret"),
            str(root / "journal.sqlite"),
            str(root / "credentials.sqlite"),
            str(root / "edge"),
            str(root / "networks" / "demo" / "apps" / "other"),
            "/etc/shadow",
            str(Path.home() / ".ssh"),
        ]
        built = deploy_probe(user, "demo/probe", tmp_path / "probe", paths)
        ran = look(user, "demo/probe", paths)
        for seen in (built, ran):
            check_environment(seen, *(["PORT"] if seen is ran else []))
            reachable = {path for path, verdict in seen["paths"].items() if verdict == "readable"}  # type: ignore[attr-defined]
            assert reachable == set()
        assert ran["uid"] != 0
        assert ran["cwd"] == "/app"
        release = user.ok("history", "demo/probe", "-o", "json").data["releases"][0]
        assert release["isolation"] == "bubblewrap"
        assert user.ok("node", "status", "-o", "json").data["isolation"] == "bubblewrap"
    finally:
        user.stop_everything()


def test_without_isolation_the_environment_is_still_clean(fresh: User, tmp_path: Path) -> None:
    fresh.environ |= {"AWS_SECRET_ACCESS_KEY": CANARY, "GITHUB_TOKEN": CANARY, "RIG_NOTE": CANARY}
    fresh.start_node("--isolation", "none")
    built = deploy_probe(fresh, "demo/probe", tmp_path / "probe", [])
    ran = look(fresh, "demo/probe", [])
    for seen in (built, ran):
        # What other processes keep in their environment cannot be hidden without isolation; that rig's hold no
        # secret of the user's can be, and is.
        check_environment(seen, *(["PORT"] if seen is ran else []))
    assert fresh.ok("status", "app", "demo/probe", "-o", "json").data["isolation"] == "none"
    assert "isolation is off" in (fresh.home / "node" / "node.log").read_text()
