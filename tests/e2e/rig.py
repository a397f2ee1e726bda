"""A user with a machine of their own: runs `rig` as a process, and looks at what is served."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from rig.contract.node import NodeState
from rig.kernel.node_state import read_state, runs
from tests.e2e.asker import Asker
from tests.support import TIMEOUT, free_port, wait_until

RIG = Path(sys.executable).parent / "rig"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SECONDS = 600
"""Reached only by a test that fails."""
PATIENTLY = ("--wait", "300")
"""Of a node: to start or to end, which a busy machine may not do within the usual minute."""


class Ran(msgspec.Struct, frozen=True):
    """How one command ended."""

    exit: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The envelope that ``-o json`` printed."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    @property
    def data(self) -> Any:
        return self.json["data"]


class User:
    """One RIG_HOME, and the node in it."""

    def __init__(self, home: Path, environ: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("RIG_", "COLUMNS"))},
            "RIG_HOME": str(home),
            **(environ or {}),
        }

    def rig(
        self, *arguments: str, cwd: Path | None = None, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> Ran:
        """Run a command to its end, whatever that is."""
        done = subprocess.run(
            [RIG, *arguments],
            env={**self.environ, **(env or {})},
            cwd=cwd or self.home.parent,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, cwd: Path | None = None) -> Ran:
        """Run a command that has to succeed."""
        ran = self.rig(*arguments, cwd=cwd)
        assert ran.exit == 0, f"rig {' '.join(arguments)}: exit {ran.exit}\n{ran.stdout}\n{ran.stderr}"
        return ran

    def spawn(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            [RIG, *arguments],
            env=self.environ,
            cwd=self.home.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    # -- the node ---------------------------------------------------------------------------------------------------

    def start_node(self, *arguments: str) -> None:
        """Start the node on ports of its own, and log in."""
        ports = ("--port", str(free_port()), "--api-port", str(free_port()))
        self.ok("node", "start", *ports, *PATIENTLY, *arguments)
        self.ok("login")

    @property
    def node(self) -> NodeState:
        state = read_state(self.home / "node")
        assert state is not None
        return state

    def kill_node(self) -> None:
        """End the node as a power cut would."""
        state = self.node
        os.kill(state.pid, signal.SIGKILL)
        wait_until(lambda: not runs(state), "the node has ended")

    def stop_everything(self) -> None:
        """End the node, its apps and its edge, whatever state a test left them in."""
        if read_state(self.home / "node") is None:
            return
        if not runs(self.node):
            self.rig("node", "start", *PATIENTLY)
        stopped = self.rig("node", "stop", *PATIENTLY)
        assert stopped.exit == 0, stopped.stderr

    # -- what is served ---------------------------------------------------------------------------------------------

    def get(self, app: str, path: str = "/", headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Ask an app as a browser would; gives status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.node.edge_port, timeout=TIMEOUT)
        try:
            connection.request("GET", path, headers={"Host": self._host(app), **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def asker(self, app: str = "demo/app") -> Asker:
        """Somebody who asks an app all the time while they are entered: a :func:`web_app` of some ``version …``."""
        return Asker(self.node.edge_port, self._host(app))

    def _host(self, app: str) -> str:
        network, _, name = app.partition("/")
        return f"{name}.{network}.{self.node.domain}:{self.node.edge_port}"

    def deploy(self, folder: Path, app: str, *more: str) -> Ran:
        """Deploy a folder that has to succeed; gives the envelope."""
        return self.ok("deploy", str(folder), "--app", app, "--create", "-o", "json", *more)


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[User]:
    """A user on a fresh machine whose node runs; whatever they start ends with the block."""
    user = User(home)
    user.home.mkdir()
    try:
        user.start_node(*arguments)
        yield user
    finally:
        user.stop_everything()


def project(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a project's files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def example(name: str, folder: Path) -> Path:
    """A copy of one of the examples, to be changed."""
    return Path(shutil.copytree(EXAMPLES / name, folder / name))


GATED = '[build]\ncommand = "until [ -e gate ]; do sleep 0.05; done"\n'
"""For rig.toml: a build that waits until its gate is open, also where it can see nothing but its own folder."""


def open_gate(user: User, app: str) -> None:
    """Let the build of an app go on that waits at its gate."""
    network, _, name = app.partition("/")
    for folder in (user.home / "node" / "networks" / network / "apps" / name / "builds").glob("*/app"):
        (folder / "gate").touch()


WEB = """\
import http.server, os, sys

PORT = int(os.environ["PORT"])
VERSION = "one"

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{VERSION} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

print("listening on", PORT, flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Page).serve_forever()
"""
"""A web app that needs nothing but Python. `VERSION` is what it answers."""


def web_app(folder: Path, version: str = "one", **files: str) -> Path:
    """A small Python web app, or other files beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = {
        "main.py": WEB.replace('"one"', f'"{version}"'),
        "requirements.txt": "",
        "Procfile": "web: python main.py\n",
    }
    return project(folder, {**sources, **{name.replace("__", "."): text for name, text in files.items()}})
