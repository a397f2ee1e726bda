"""A machine whose node and clients can be killed at named points, and what has to be true of it afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rig.clients.http import HttpTransport
from rig.clients.platform import HttpPlatform
from rig.contract.apps import AppStatus, ShowAppStatus
from rig.contract.releases import ListReleases, Release, ReleasePage
from tests.e2e.rig import RIG, SECONDS, Ran, User, project, web_app
from tests.kills.arming import Failpoints
from tests.kills.leftovers import broken_journals, leftovers, processes, strays
from tests.support import free_port, wait_until

APP = "demo/app"


class Machine(User):
    """One RIG_HOME, with failpoints for its node and others for its clients."""

    def __init__(self, folder: Path, isolation: str) -> None:
        super().__init__(folder / "home")
        self.home.mkdir()
        self.source = folder / "source"
        self.client_points = Failpoints(folder / "client-points")
        self.node_points = Failpoints(folder / "node-points")
        self._isolation = isolation
        self._edge_port, self._api_port = free_port(), free_port()
        self._child: subprocess.Popen[bytes] | None = None
        self._clients: list[subprocess.Popen[str]] = []
        self._label = 0

    # -- the node ---------------------------------------------------------------------------------------------------

    def spawn_node(self) -> subprocess.Popen[bytes]:
        """Start the node as a child of the test, with its failpoints."""
        folder = self.home / "node"
        folder.mkdir(mode=0o700, exist_ok=True)
        argv = [sys.executable, "-P", "-m", "rig.node", "--home", str(folder), "--isolation", self._isolation]
        argv += ["--edge-port", str(self._edge_port), "--api-port", str(self._api_port)]
        environ = {**self.environ, **self.node_points.environ}
        with (folder / "node.log").open("ab") as log:
            self._child = subprocess.Popen(
                argv, env=environ, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return self._child

    def run_node(self) -> None:
        """Start the node, and return when it answers."""
        child = self.spawn_node()

        def ready() -> bool:
            assert child.poll() is None, f"the node has ended with {child.returncode}:\n{self.node_log()}"
            path = self.home / "node" / "node.json"
            return path.exists() and self.node.pid == child.pid and bool(self.node.ready_at)

        wait_until(ready, "the node is ready")

    def killed_node(self) -> None:
        """Wait until the node was killed at its failpoint."""
        assert self._child is not None
        assert self._child.wait(SECONDS) == -signal.SIGKILL, self.node_log()
        assert self.node_points.reached()

    def kill_node(self) -> None:
        assert self._child is not None
        self._child.kill()
        self._child.wait()

    def node_log(self) -> str:
        return (self.home / "node" / "node.log").read_text()[-4000:]

    def stop_everything(self) -> None:
        """End the node, its apps and its edge, whatever state a test left them in."""
        self.node_points.clear()
        if self._child is None:
            return
        if self._child.poll() is None:
            os.kill(self._child.pid, signal.SIGCONT)
        else:
            self.run_node()
        self._child.send_signal(signal.SIGINT)
        assert self._child.wait(SECONDS) == 0, self.node_log()
        wait_until(lambda: not processes(self.home), "every process of the machine has ended")

    def destroy(self) -> None:
        """End all that a failed test may have left, in whatever state it is."""
        for client in self._clients:
            with client:
                client.kill()
        if self._child is not None:
            self.kill_node()

        def killed() -> bool:
            found = processes(self.home)
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not found

        wait_until(killed, "every process of the machine has ended")

    # -- deployments ------------------------------------------------------------------------------------------------

    def change(self) -> str:
        """Make another version of the app; gives its label, which it answers with."""
        self._label += 1
        label = f"version {self._label}"
        web_app(self.source, label, Procfile="web: python main.py\nrelease: echo released\n")
        project(self.source, {"rig.toml": '[build]\ncommand = "echo built"\n[deploy]\ndrain = 1\n', "label": label})
        return label

    def start_deploy(self, *more: str) -> subprocess.Popen[str]:
        """`rig deploy` of the source as it is, with the failpoints of the client."""
        return self.start("deploy", str(self.source), "--app", APP, *more)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command with the failpoints of the client."""
        client = subprocess.Popen(
            [RIG, *arguments],
            env={**self.environ, **self.client_points.environ},
            cwd=self.home.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._clients.append(client)
        return client

    def resume(self) -> Ran:
        return self.rig("deploy", str(self.source), "--app", APP, "--resume", "-o", "json")

    def expire_token(self) -> None:
        """Make the client think that its access token is about to end."""
        path = self.home / "tokens" / "local.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "expires_at": 1}))

    # -- what is true -----------------------------------------------------------------------------------------------

    @property
    def _platform(self) -> HttpPlatform:
        token = json.loads((self.home / "tokens" / "local.json").read_text())["access_token"]
        return HttpPlatform(HttpTransport(self.node.api, lambda renew: str(token)))

    def releases(self, app: str = APP) -> list[Release]:
        """The newest first."""
        return self._platform.call(ListReleases(app=app, limit=100), ReleasePage).releases

    def status(self, app: str = APP) -> AppStatus:
        return self._platform.call(ShowAppStatus(app=app), AppStatus)

    def serving(self) -> str:
        """The label of the version that serves."""
        status, page = self.get(APP)
        assert status == 200, page
        return page.removesuffix(" /")

    def calm(self, app: str = APP) -> bool:
        """Whether nothing is under way: no release is being made, and what serves is all that runs."""
        status = self.status(app)
        serving = [release.version for release in self.releases(app) if release.outcome == "succeeded"][:1]
        found = [(instance.name, instance.version, instance.state) for instance in status.instances]
        return not status.deployment and found == [("web.1", version, "up") for version in serving]

    def check(self, label: str) -> None:
        """The version ``label`` serves, every release and every intent has its end, and nothing is left over."""
        wait_until(self.calm, "nothing is under way")
        assert {release.outcome for release in self.releases()} <= {"succeeded", "failed"}
        assert self.serving() == label
        self._none_left(strays)
        self._none_left(leftovers)
        assert broken_journals(self.home) == []

    def _none_left(self, look: Callable[[Path], list[str]]) -> None:
        """Wait until ``look`` finds nothing; fail with what it finds."""
        with suppress(AssertionError):
            wait_until(lambda: not look(self.home), look.__name__)
        assert look(self.home) == []
