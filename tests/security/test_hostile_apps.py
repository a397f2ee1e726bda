"""An app, and its build, that mean harm: to the node, to other apps, to the releases that follow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import User, project, running
from tests.support import wait_until

SHELL = """\
import http.server, json, os, subprocess

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        done = subprocess.run(["/bin/sh", "-c", self.headers.get("X-Command", "true")], capture_output=True, timeout=99)
        body = done.stdout + done.stderr
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""
"""Runs what a request asks for: the worst app there is."""

DEEP = """\
import os
os.chdir(os.environ["{}"])
for _ in range(4000):
    os.mkdir("d")
    os.chdir("d")
"""

pytestmark = pytest.mark.needs("bwrap")


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    with running(tmp_path_factory.mktemp("hostile") / "home", "--isolation", "bubblewrap") as user:
        user.ok("create", "network", "demo")
        yield user


def deploy(user: User, folder: Path, app: str, command: str = "", **files: str) -> str:
    """Deploy the shell; gives the output of its build."""
    health = "[health]\ntimeout = 120\n"
    build = health + f"[build]\ncommand = {json.dumps(command)}\n" if command else health
    files = {name.replace("__", "."): text for name, text in files.items()}
    project(
        folder,
        {"main.py": SHELL, "requirements.txt": "", "Procfile": "web: python main.py\n", "rig.toml": build, **files},
    )
    user.deploy(folder, app)
    return user.ok("logs", "build", app).stdout


def inside(user: User, app: str, command: str) -> str:
    """What a command prints that the running app runs."""
    status, body = user.get(app, headers={"X-Command": command})
    assert status == 200
    return body


def test_what_an_app_leaves_in_its_home_is_not_seen_by_the_next_build(user: User, tmp_path: Path) -> None:
    """pip, npm, git and shells read settings from HOME: an app that was broken into could choose what is installed."""
    look = "find $HOME -mindepth 1; echo HOME=$HOME; echo left > $HOME/.from-build"
    assert "HOME=/home/app" in deploy(user, tmp_path / "app", "demo/homely", look)
    inside(user, "demo/homely", "mkdir -p ~/.config/pip; echo x > ~/.config/pip/pip.conf; echo x > ~/.npmrc")
    again = deploy(user, tmp_path / "app", "demo/homely", look, other__txt="so that it is built")
    assert "pip.conf" not in again
    assert ".npmrc" not in again
    assert ".from-build" not in inside(user, "demo/homely", "ls -A ~")
    assert "pip.conf" in inside(user, "demo/homely", "ls ~/.config/pip")


def test_what_was_built_cannot_be_changed_by_what_runs(user: User, tmp_path: Path) -> None:
    deploy(user, tmp_path / "app", "demo/fixed")
    tried = inside(
        user, "demo/fixed", 'for f in /app/main.py /app/x "$VIRTUAL_ENV/x" /layers/x; do echo x > "$f"; done'
    )
    assert tried.count("Read-only file system") == 4
    assert "nothing" in inside(user, "demo/fixed", "ls -d /cache /build-tmp /site 2> /dev/null || echo nothing")


def test_links_in_home_source_and_build_lead_nowhere(user: User, tmp_path: Path) -> None:
    """The node is root here where tests are: it must not give away, read or remove what a link leads to."""
    secret = user.home / "node" / "bootstrap.secret"
    before = secret.stat()
    build = (
        f"ln -sfn {user.home}/node outside; ln -sfn {secret} index.html; ln -sfn / $TMPDIR/root; ln -sfn / $HOME/root"
    )
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "inner").symlink_to("main.py")
    log = deploy(user, tmp_path / "app", "demo/links", build)
    inside(user, "demo/links", f"ln -sfn {secret} ~/link; ln -sfn / ~/root; ln {secret} ~/hard")
    assert "No such file" in inside(user, "demo/links", "cat ~/link /app/index.html /app/outside/bootstrap.secret")
    deploy(user, tmp_path / "app", "demo/links", build, other__txt="again")
    user.ok("delete", "app", "demo/links", "--yes")
    wait_until(lambda: not (user.home / "node/networks/demo/apps/links").exists(), "the app's folder is gone")
    after = secret.stat()
    assert (after.st_uid, after.st_mode, after.st_ino) == (before.st_uid, before.st_mode, before.st_ino)
    assert secret.read_text().strip() not in log


def test_the_machine_is_out_of_reach(user: User, tmp_path: Path) -> None:
    deploy(user, tmp_path / "app", "demo/locked")
    admin = next((user.home / "node" / "edge").rglob("*.sock"))
    attempts = {
        f"cat /proc/1/root{user.home}/node/bootstrap.secret": "denied|No such file",
        "echo x > /proc/sys/kernel/core_pattern": "denied|Read-only",
        "echo x > /proc/sysrq-trigger": "denied|Read-only|nonexistent|No such",
        f"kill -9 {user.node.pid}": "No such process",
        "mknod ~/disk b 8 0": "Operation not permitted",
        f"python -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{admin}\")'": "FileNotFoundError",
        "python -c 'import os; os.setuid(0)'": "Operation not permitted|Invalid argument",
        "python -c 'import os; os.chroot(\"/tmp\")'": "Operation not permitted",
        "cat /etc/shadow": "No such file",
        "ls /var/run/dbus /run/user /run/systemd /sys": "No such file",
    }
    for command, refusal in attempts.items():
        said = inside(user, "demo/locked", command)
        assert any(word in said for word in refusal.split("|")), (command, said)
    # The sandbox's first process is the app's own user where the node is not root: there is nothing to find in it.
    first = inside(user, "demo/locked", "cat /proc/1/environ; ls -l /proc/1/fd")
    assert str(user.home) not in first
    assert "RIG" not in first
    assert "socket:" not in first
    status = inside(user, "demo/locked", "cat /proc/self/status")
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status
    assert "CapPrm:\t0000000000000000" in status
    uid = inside(user, "demo/locked", "id -u").strip()
    assert uid != "0"
    assert inside(user, "demo/locked", "cp /bin/sh ~/sh; chmod 4755 ~/sh; ~/sh -p -c 'id -u'").strip() == uid


def test_nothing_of_an_app_outlives_it(user: User, tmp_path: Path) -> None:
    """Not what daemonised, not what ignores signals, not what forks as fast as it is killed."""
    deploy(user, tmp_path / "app", "demo/hydra")
    mark = str(30_000_000 + os.getpid())
    inside(
        user,
        "demo/hydra",
        f"setsid sh -c 'trap \"\" TERM HUP INT; sleep {mark} & sleep {mark} & wait' > /dev/null 2>&1 < /dev/null &",
    )

    def left() -> list[str]:
        found = []
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found += [str(each)] if mark.encode() in each.read_bytes() else []
            except OSError:
                continue
        return found

    wait_until(left, "they run")
    user.ok("delete", "app", "demo/hydra", "--yes")
    wait_until(lambda: not left(), "they have ended")


def test_a_tree_that_is_hard_to_remove_is_removed(user: User, tmp_path: Path) -> None:
    """Deeper than Python's stack, and without permissions: an app of the same name must not find it."""
    deploy(user, tmp_path / "app", "demo/deep", deep__py=DEEP.format("HOME"))
    inside(
        user,
        "demo/deep",
        "mkdir -p ~/closed/in; touch ~/closed/in/f; chmod 500 ~/closed/in; chmod 0 ~/closed; python deep.py",
    )
    user.ok("delete", "app", "demo/deep", "--yes")
    deploy(user, tmp_path / "app", "demo/deep")
    assert inside(user, "demo/deep", "ls -A ~") == ""


def test_a_build_that_leaves_such_a_tree_is_no_lasting_harm(user: User, tmp_path: Path) -> None:
    deep = "python3 deep.py; mkdir -p closed/in; chmod 0 closed"
    project(tmp_path / "app", {"deep.py": DEEP.format("HOME") + DEEP.format("TMPDIR")})
    ran = user.rig("deploy", str(project(tmp_path / "app", {"index.html": "x"})), "--app", "demo/again", "--create")
    assert ran.exit == 0, ran.stderr
    for _ in range(2):
        # The same build again: what the first left is in its way.
        project(tmp_path / "app", {"rig.toml": f"[build]\ncommand = '{deep}; exit 3'\nbuilder = \"static\"\n"})
        ran = user.rig("deploy", str(tmp_path / "app"), "--app", "demo/again", "-o", "json")
        assert (ran.exit, ran.json["error"]["code"]) == (1, "build_failed"), ran.stdout


def test_output_that_would_take_a_terminal_over_is_shown_as_text(user: User, tmp_path: Path) -> None:
    escape = r"printf '\033]0;owned\007\033[2J\302\233 2J\342\200\256 evil\r hidden\n'"
    deploy(user, tmp_path / "app", "demo/noisy", escape)
    for arguments in (("logs", "build", "demo/noisy"), ("history", "demo/noisy"), ("status", "app", "demo/noisy")):
        for form in ("table", "json", "jsonl", "yaml"):
            ran = user.rig(*arguments, "-o", form)
            shown = [c for c in ran.stdout + ran.stderr if not c.isprintable() and c not in "\n\t"]
            assert shown == [], (arguments, form)


def test_logs_are_bounded(user: User, tmp_path: Path) -> None:
    log = deploy(user, tmp_path / "app", "demo/loud", "yes 0123456789012345678901234567890123456789 | head -c 30000000")
    assert "lines left out" in log
    kept = sum(path.stat().st_size for path in (user.home / "node/networks/demo/apps/loud").rglob("*.jsonl"))
    assert kept < 25_000_000
