"""The embedded Max node as a process of this machine: started, watched until it answers, stopped."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from rig.clients.home import make_folder
from rig.clients.locks import locked
from rig.contract.errors import ERRORS, ErrorBody
from rig.contract.node import ERROR_FILE, LOG_FILE, Node, NodeState, StartNode, StopNode
from rig.kernel.errors import UNREADABLE, RigError
from rig.kernel.node_state import read_state, runs

if TYPE_CHECKING:
    import subprocess

POLL = 0.03
LOG_LIMIT, LOGS_KEPT = 5 * 1024 * 1024, 3
LAST_LINES = 15
ANSWER_TIMEOUT = 5.0
"""Seconds."""

BUILD_ENV = "RIG_NODE_BUILD_ENV"
"""``NAME,NAME``: variables that the operator lets through to builds, and so to the node."""

KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TZ|TMPDIR|LANG|LANGUAGE|LC_\w+|XDG_RUNTIME_DIR"
    # How a machine reaches the network, and what its builds take packages from.
    r"|\w+_(PROXY|proxy)|SSL_CERT_\w+|\w+_CA_BUNDLE|NODE_EXTRA_CA_CERTS|GIT_SSL_CAINFO"
    r"|PIP_\w+|UV_\w+|NPM_CONFIG_\w+|npm_config_\w+|PYENV_ROOT"
    rf"|{BUILD_ENV}"
    # So that a test of a whole node is measured as a whole.
    r"|COVERAGE_\w+"
)
"""What the node gets of the user's environment. Tokens and keys that happen to be in it are none of its business, and
without isolation an app could read them from it."""


class LocalNode:
    """The node in one folder (`RIG_HOME/node`). Implements :class:`rig.kernel.ports.NodeProcess`."""

    def __init__(self, folder: str, environ: Mapping[str, str], module: str = "rig.node") -> None:
        self.folder = folder
        self._environ = environ
        self._module = module

    def status(self) -> Node:
        return self._node(read_state(self.folder))

    def start(self, command: StartNode) -> Node:
        state = self._running(command)
        if state is None:
            self._check_machine()
            make_folder(self.folder)
            # Whoever comes second finds the node of the first.
            with locked(os.path.join(self.folder, "start.lock"), command.wait):
                state = self._running(command)
                if state is None:
                    return self._start(command)
        return self._node(state)

    def run(self, command: StartNode) -> Node:
        if runs(read_state(self.folder)):
            raise RigError("conflict", f"A node runs already in {self.folder}.", "Stop it first: `rig node stop`.")
        self._check_machine()
        make_folder(self.folder)
        self._forget_error()
        # A group of its own: Ctrl-C reaches the node through us, once.
        child = self._spawn(command, process_group=0)
        with _passed_on(child):
            code = child.wait()
        if code:
            raise self._failure(code, "Its last words stand above.")
        return msgspec.structs.replace(self.status(), changed=True)

    def stop(self, command: StopNode) -> Node:
        state = read_state(self.folder)
        if not runs(state):
            if state is None or not state.serving or command.keep_apps:
                return self._node(state)
            # Its apps go on without it. A node knows how to end them; none is there, so one is started.
            isolated = state.isolation == "bubblewrap"
            self.start(StartNode(isolation="bubblewrap" if isolated else "none", wait=command.wait))
            state = read_state(self.folder)
        if state is not None and runs(state):
            os.kill(state.pid, signal.SIGTERM if command.keep_apps else signal.SIGINT)
            _wait(lambda: not runs(state), command.wait, f"The node (process {state.pid}) has not ended yet")
        return msgspec.structs.replace(self.status(), changed=True)

    def _running(self, command: StartNode) -> NodeState | None:
        """The node that runs and answers, if there is one. One that is being started is waited for."""
        state = read_state(self.folder)
        if not runs(state):
            return None

        def settled() -> bool:
            now = read_state(self.folder)
            return not runs(now) or _answers(now)

        _wait(settled, command.wait, "The node does not answer yet")
        state = read_state(self.folder)
        if state is None or not runs(state):
            return None
        self._check_wishes(command, state)
        return state

    def _check_wishes(self, command: StartNode, state: NodeState) -> None:
        """Raises `RigError` ``conflict`` where the running node is not what was asked for."""
        wishes: list[tuple[str, Any, Any]] = [
            ("--port", command.port, state.edge_port),
            ("--api-port", command.api_port, state.api_port),
            ("--domain", command.domain, state.domain),
            ("--releases", command.releases, state.releases),
            ("--isolation", "" if command.isolation == "auto" else command.isolation, state.isolation),
        ]
        for flag, wanted, has in wishes:
            if wanted and wanted != has:
                raise RigError(
                    "conflict",
                    f"A node runs already, with {flag} {has}, not {wanted}.",
                    f"Start it anew: `rig node stop`, then `rig node start {flag} {wanted}`.",
                )

    def _start(self, command: StartNode) -> Node:
        self._forget_error()
        log_path = os.path.join(self.folder, LOG_FILE)
        _rotate(log_path)
        descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "ab") as log:
            began = log.tell()
            child = self._spawn(command, start_new_session=True, stdout=log, stderr=log)

        def settled() -> bool:
            return child.poll() is not None or _answers(read_state(self.folder), child.pid)

        _wait(settled, command.wait, f"The node (process {child.pid}) does not answer yet; see {log_path}")
        if child.returncode is not None:
            # It gives way to one that a service manager started in the same moment.
            other = self._running(command)
            if other is not None:
                return self._node(other)
            raise self._failure(child.returncode, f"All it said: {log_path}", _last_lines(log_path, began))
        return msgspec.structs.replace(self.status(), changed=True)

    def _spawn(self, command: StartNode, **how: Any) -> subprocess.Popen[bytes]:
        import subprocess

        options = {
            "--edge-port": command.port,
            "--api-port": command.api_port,
            "--domain": command.domain,
            "--releases": command.releases,
        }
        # -P: a folder `rig` or `events` beside the user's files is never imported.
        argv = [sys.executable, "-P", "-m", self._module, "--home", self.folder, "--isolation", command.isolation]
        for flag, value in options.items():
            if value:
                argv += [flag, str(value)]
        named = {part.strip() for part in self._environ.get(BUILD_ENV, "").split(",")}
        env = {key: value for key, value in self._environ.items() if KEPT.fullmatch(key) or key in named}
        return subprocess.Popen(argv, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, **how)

    def _check_machine(self) -> None:
        if sys.platform == "win32":
            raise RigError(
                "failed",
                "The Max node runs on Linux and macOS; on Windows rig is a client.",
                "Log in to a platform on another machine: `rig login URL`.",
            )
        import importlib.util

        if importlib.util.find_spec("psutil") is None:
            raise RigError(
                "missing_program",
                "rig was installed without its node.",
                "Install rig with its node: `pipx install --force '.[node]'` in a checkout of it.",
                missing=["psutil"],
            )

    def _failure(self, code: int, hint: str, output: list[str] | None = None) -> RigError:
        """Why the node ended: by its own account, else by its exit code and last lines."""
        try:
            with open(os.path.join(self.folder, ERROR_FILE), "rb") as file:
                error = msgspec.json.decode(file.read(65536), type=ErrorBody)
        except (FileNotFoundError, *UNREADABLE):
            error = None
        if error is not None and error.code in ERRORS:
            return RigError(error.code, error.message, error.hint, **error.details)
        how = f"signal {-code}" if code < 0 else f"exit {code}"
        said = "".join(f"\n  {line}" for line in output or [])
        return RigError("failed", f"The node could not be started ({how}).{said}", hint, output=output or [])

    def _forget_error(self) -> None:
        try:
            os.unlink(os.path.join(self.folder, ERROR_FILE))
        except FileNotFoundError:
            return

    def _node(self, state: NodeState | None) -> Node:
        if state is None:
            return Node(state="stopped", home=self.folder)
        running = runs(state)
        return Node(
            state="stopped" if not running else "running" if state.ready_at else "starting",
            home=self.folder,
            api=state.api if running else "",
            edge=state.edge if running or state.serving else "",
            domain=state.domain,
            isolation=state.isolation,
            releases=state.releases,
            version=state.version,
            serving=state.serving,
            pid=state.pid if running else 0,
            started_at=state.ready_at if running else "",
            problems=state.problems if running else [],
        )


def _answers(state: NodeState | None, pid: int = 0) -> bool:
    """Whether the node (of this pid, where one is given) is ready, and answers a request."""
    if state is None or not state.ready_at or pid not in (0, state.pid) or not runs(state):
        return False
    import http.client
    from urllib.parse import urlsplit

    connection = http.client.HTTPConnection(urlsplit(state.api).netloc, timeout=ANSWER_TIMEOUT)
    try:
        connection.request("GET", "/v1")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _wait(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Raises `RigError` ``pending`` where ``condition`` is not met in time, ``cancelled`` on Ctrl-C."""
    deadline = time.monotonic() + seconds
    try:
        while not condition():
            if time.monotonic() >= deadline:
                raise RigError("pending", f"{what}, after {seconds:g} s.", "`rig node status` tells how it is.")
            time.sleep(POLL)
    except KeyboardInterrupt as interrupt:
        hint = "What was begun goes on: `rig node status` tells how it is, `rig node stop` ends it."
        raise RigError("cancelled", f"Interrupted. {what}.", hint) from interrupt


@contextmanager
def _passed_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Give the signals that end a program to ``child``, which decides what they mean."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda got, _: child.send_signal(got)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _rotate(path: str) -> None:
    """Put a log that has grown aside: ``node.log.1`` is the newest of the older ones."""
    try:
        if os.path.getsize(path) < LOG_LIMIT:
            return
    except FileNotFoundError:
        return
    for number in range(LOGS_KEPT - 1, 0, -1):
        if os.path.exists(f"{path}.{number}"):
            os.replace(f"{path}.{number}", f"{path}.{number + 1}")
    os.replace(path, f"{path}.1")


def _last_lines(path: str, offset: int) -> list[str]:
    with open(path, "rb") as file:
        file.seek(max(offset, os.path.getsize(path) - 65536))
        text = file.read().decode(errors="replace")
    return ["".join(c if c.isprintable() else " " for c in line) for line in text.splitlines()[-LAST_LINES:]]
