"""The very first command on a machine is `rig deploy`: where there is no platform, it can bring one along."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rig.kernel.node_state import read_state
from tests.e2e.rig import EXAMPLES, RIG, User, web_app
from tests.faults.terminal import OnTerminal

APP = "demo/first"
OFFER = "You have no platform yet. Start a Max node on this machine? [Y/n] "
BROWSER = """\
#!{python}
import pathlib, sys
pathlib.Path({seen!r}).write_text(sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_a_terminal_is_offered_a_node(fresh: User, tmp_path: Path) -> None:
    argv = ("deploy", str(web_app(tmp_path / "app")), "--app", APP, "--create")
    with OnTerminal(*argv, env=fresh.environ) as declined:
        declined.wait_for(OFFER)
        declined.type("n\n")
        ended, _ = declined.wait()
    assert ended == 4, declined.text
    assert "rig deploy --local" in declined.text
    assert read_state(fresh.home / "node") is None, "nothing was started"

    with OnTerminal(*argv, env=fresh.environ) as agreed:
        agreed.wait_for(OFFER)
        agreed.type("\n")
        ended, _ = agreed.wait()
    assert ended == 0, agreed.text
    assert f"http://first.demo.localhost:{fresh.node.edge_port}" in agreed.text
    assert fresh.get(APP) == (200, "one /")

    with OnTerminal(*argv, env=fresh.environ) as again:
        ended, _ = again.wait()
    assert (ended, OFFER in again.text) == (0, False), "there is a platform now"


def test_nobody_is_asked_where_nobody_can_answer(fresh: User, tmp_path: Path) -> None:
    argv = ("deploy", str(web_app(tmp_path / "app")), "--app", APP, "--create", "-o", "json")
    error = fresh.rig(*argv).json["error"]
    assert (error["code"], error["exit"], "--local" in error["hint"]) == ("login_required", 4, True)
    assert read_state(fresh.home / "node") is None

    made = fresh.ok(*argv, "--local").data
    assert made["version"] == 1
    assert fresh.get(APP) == (200, "one /")
    node = fresh.node.pid
    assert fresh.ok(*argv, "--local").data["version"] == 2, "the node that runs is taken"
    assert fresh.node.pid == node


def test_the_app_is_opened_in_a_browser(fresh: User, tmp_path: Path) -> None:
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(BROWSER.format(python=sys.executable, seen=str(seen)))
    os.chmod(browser, 0o700)
    argv = ("deploy", str(web_app(tmp_path / "app")), "--app", APP, "--create", "--local", "-o", "json")
    assert not fresh.ok(*argv).data["opened"]
    assert not seen.exists()
    ran = fresh.rig(*argv, "--open", env={"BROWSER": f"{browser} %s"})
    assert (ran.exit, ran.data["opened"]) == (0, True), ran.stderr
    assert seen.read_text() == ran.data["url"] == f"http://first.demo.localhost:{fresh.node.edge_port}"


def test_the_demo_ends_with_a_page_and_with_commands_that_work(fresh: User) -> None:
    environ = {**fresh.environ, "PATH": f"{RIG.parent}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(
        [sys.executable, "demo.py"], cwd=EXAMPLES, env=environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"Open it in a browser:  http://hello.demo.localhost:{fresh.node.edge_port}\n" in ran.stdout
    assert "begins: Hello" in ran.stdout
    proposed = re.findall(r"^  rig (.+?)  ", ran.stdout.partition("What to try next:")[2], re.MULTILINE)
    assert [line.split()[0] for line in proposed] == ["status", "history", "rollback", "audit"]
    exits = {line.split()[0]: fresh.rig(*line.split()).exit for line in proposed}
    assert exits == {"status": 0, "history": 0, "rollback": 73, "audit": 0}, "there is one release as yet"
