"""The embedded node as a process: one per folder, found again, stopped; and what is said when it does not come up."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from rig.clients.node_process import LOG_LIMIT, LocalNode
from rig.contract.node import ERROR_FILE, LOG_FILE, STATE_FILE, NodeState, StartNode, StopNode
from rig.kernel.errors import RigError
from rig.kernel.node_state import read_state, runs
from rig.kernel.processes import alive, start_time
from rig.node.lifecycle import Lifecycle
from rig.node.paths import NodePaths
from tests.support import free_port, wait_until

MODULE = "tests.clients.tiny_node"
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "RIG_TOKEN": "canary", "AWS_SECRET_ACCESS_KEY": "canary"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "node"
    state = read_state(tmp_path / "node") if (tmp_path / "node").exists() else None
    if state is not None and runs(state):
        os.kill(state.pid, signal.SIGKILL)
        wait_until(lambda: not runs(state), "the node has ended")


def local(folder: Path, fault: str = "") -> LocalNode:
    environ = ENVIRON | ({"RIG_NODE_BUILD_ENV": "TINY_NODE", "TINY_NODE": fault} if fault else {})
    return LocalNode(str(folder), environ, MODULE)


def test_start_status_stop(folder: Path) -> None:
    node = local(folder)
    assert node.status().state == "stopped"
    started = node.start(StartNode(port=4321))
    assert (started.state, started.changed, started.serving) == ("running", True, True)
    assert started.edge == "http://localhost:4321"
    assert started.pid
    again = node.start(StartNode())
    assert (again.pid, again.changed) == (started.pid, False)
    assert msgspec.structs.replace(node.status(), changed=True) == started
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / LOG_FILE).stat().st_mode) == 0o600
    stopped = node.stop(StopNode())
    assert (stopped.state, stopped.changed, stopped.serving, stopped.pid) == ("stopped", True, False, 0)
    assert not node.stop(StopNode()).changed


def test_ports_and_domain_stay_over_a_restart(folder: Path) -> None:
    node = local(folder)
    # A port of its own: the usual one may be another test's in the moment between.
    first = node.start(StartNode(domain="apps.test", api_port=free_port()))
    node.stop(StopNode())
    second = node.start(StartNode())
    assert (second.api, second.domain) == (first.api, "apps.test")


def test_other_wishes_than_the_running_node_meets_are_refused(folder: Path) -> None:
    node = local(folder)
    node.start(StartNode(port=4321))
    with pytest.raises(RigError, match="--port 4321, not 4322") as refused:
        node.start(StartNode(port=4322))
    assert refused.value.code == "conflict"
    assert "rig node stop" in refused.value.hint


def test_two_at_once_give_one_node(folder: Path) -> None:
    with ThreadPoolExecutor() as pool:
        nodes = list(pool.map(lambda _: local(folder).start(StartNode()), range(4)))
    assert len({node.pid for node in nodes}) == 1
    assert sorted(node.changed for node in nodes) == [False, False, False, True]


def test_only_one_node_lives_in_a_folder(folder: Path) -> None:
    node = local(folder)
    node.start(StartNode())
    rival = subprocess.run(
        [sys.executable, "-m", MODULE, "--home", str(folder)], capture_output=True, text=True, check=False
    )
    assert rival.returncode == 75
    assert "runs already" in rival.stderr
    assert node.status().state == "running"


def test_it_gets_nothing_of_the_users_environment_that_is_none_of_its_business(folder: Path) -> None:
    local(folder).start(StartNode(isolation="none"))
    seen = json.loads((folder / "seen.json").read_text())
    assert "canary" not in json.dumps(seen)
    assert seen["env"]["PATH"] == ENVIRON["PATH"]
    assert seen["argv"][-2:] == ["--isolation", "none"]


def test_keep_apps_leaves_them_and_a_later_stop_ends_them(folder: Path) -> None:
    node = local(folder)
    node.start(StartNode())
    left = node.stop(StopNode(keep_apps=True))
    assert (left.state, left.serving) == ("stopped", True)
    assert node.stop(StopNode(keep_apps=True)).serving
    ended = node.stop(StopNode())
    assert (ended.state, ended.serving, ended.changed) == ("stopped", False, True)


def test_a_killed_node_is_known_to_be_gone_and_its_apps_to_go_on(folder: Path) -> None:
    node = local(folder)
    first = node.start(StartNode(api_port=free_port()))
    started = start_time(first.pid)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: not alive(first.pid, started), "it has ended")
    gone = node.status()
    assert (gone.state, gone.serving, gone.api) == ("stopped", True, "")
    assert node.start(StartNode()).api == first.api


def test_another_process_with_the_same_pid_is_not_the_node(folder: Path) -> None:
    folder.mkdir()
    state = NodeState(
        pid=os.getpid(), started=1, version="0", ready_at="2026-01-01T00:00:00Z", api="http://127.0.0.1:1"
    )
    (folder / STATE_FILE).write_bytes(msgspec.json.encode(state))
    assert local(folder).status().state == "stopped"


@pytest.mark.parametrize(
    ("fault", "code", "words"), [("refuse", "missing_program", "lacks a program"), ("crash", "failed", "on purpose")]
)
def test_why_it_did_not_start_is_told(folder: Path, fault: str, code: str, words: str) -> None:
    with pytest.raises(RigError, match=words) as failed:
        local(folder, fault).start(StartNode())
    assert failed.value.code == code
    assert failed.value.hint
    assert local(folder).start(StartNode()).state == "running"
    assert not (folder / ERROR_FILE).exists()


def test_one_that_does_not_answer_is_pending(folder: Path) -> None:
    node = local(folder, "deaf")
    with pytest.raises(RigError, match="does not answer") as late:
        node.start(StartNode(wait=1))
    assert late.value.exit == 8
    wait_until(lambda: node.status().state != "stopped", "it has come to say that it is there")
    assert node.status().state == "starting"
    assert node.stop(StopNode()).state == "stopped"


def test_who_is_interrupted_is_told_that_the_node_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def press_ctrl_c(seconds: float) -> None:
        raise KeyboardInterrupt

    node = local(folder, "deaf")
    with monkeypatch.context() as patch:
        patch.setattr("rig.clients.node_process.time.sleep", press_ctrl_c)
        with pytest.raises(RigError, match=r"Interrupted\. The node .* does not answer") as ended:
            node.start(StartNode())
    assert (ended.value.exit, "rig node stop" in ended.value.hint) == (130, True)
    wait_until(lambda: node.status().state != "stopped", "it has come to say that it is there")
    assert node.stop(StopNode()).state == "stopped"


@pytest.mark.parametrize(
    ("content", "problem"),
    [('{"pid": "one"}', "pid"), (f'{{"x": {"[" * 100_000}{"]" * 100_000}}}', "recursion")],
    ids=["type", "deep"],
)
def test_state_that_cannot_be_understood_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / STATE_FILE).write_text(content)
    with pytest.raises(RigError, match=problem) as refused:
        local(tmp_path).status()
    assert refused.value.code == "bad_config"


@pytest.mark.parametrize(("number", "serving"), [(signal.SIGINT, False), (signal.SIGTERM, True)])
def test_foreground_passes_signals_on(folder: Path, number: signal.Signals, serving: bool) -> None:
    node = local(folder)

    def interrupt() -> None:
        try:
            wait_until(lambda: node.status().state == "running", "the node is up")
        finally:  # or it would be waited for without end
            os.kill(os.getpid(), number)

    helper = threading.Thread(target=interrupt)
    helper.start()
    ended = node.run(StartNode(foreground=True))
    helper.join()
    assert (ended.state, ended.serving) == ("stopped", serving)


def test_foreground_is_refused_beside_a_running_node(folder: Path) -> None:
    node = local(folder)
    node.start(StartNode())
    with pytest.raises(RigError, match="runs already"):
        node.run(StartNode(foreground=True))


def test_windows_is_told_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rig.clients.node_process.sys.platform", "win32")
    with pytest.raises(RigError, match="Windows"):
        local(folder).start(StartNode())


def test_a_grown_log_is_put_aside(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    log = folder / LOG_FILE
    for number in range(5):
        log.write_bytes(b"%d" % number + b"x" * LOG_LIMIT)
        local(folder).start(StartNode())
        local(folder).stop(StopNode())
        assert log.stat().st_size < LOG_LIMIT
    assert {path.name for path in folder.glob("node.log*")} == {"node.log", "node.log.1", "node.log.2", "node.log.3"}
    assert Path(f"{log}.1").read_bytes()[:1] == b"4"


def test_the_clients_names_are_the_nodes(tmp_path: Path) -> None:
    paths = NodePaths(tmp_path)
    assert (paths.state.name, paths.log.name) == (STATE_FILE, LOG_FILE)


def test_the_lock_goes_with_the_process_not_with_what_it_leaves_running(tmp_path: Path) -> None:
    """A shim that the node forks must not keep later nodes out."""
    with Lifecycle(NodePaths(tmp_path)):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        os.close(reader)
    try:
        with Lifecycle(NodePaths(tmp_path)) as life:
            assert life.previous is not None
    finally:
        os.close(writer)
        os.waitpid(child, 0)
