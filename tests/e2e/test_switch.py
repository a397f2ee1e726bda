"""Versions switch under load from another process: what was sent is answered, all of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]
import pytest

from tests.e2e.load import LASTING, Report
from tests.e2e.rig import User, project
from tests.e2e.switch_app import PIECES
from tests.support import TIMEOUT, wait_until

APP, OTHER = "demo/busy", "demo/other"
DRAIN = 2
TREE = Path(__file__).parents[2]


def version(folder: Path, name: str, **files: str) -> Path:
    """The sources of a version of the app."""
    sources = {
        "main.py": Path(__file__).with_name("switch_app.py").read_text(),
        "version": name,
        "requirements.txt": "",
        "Procfile": "web: true && python main.py\n",
        "rig.toml": f"[deploy]\ndrain = {DRAIN}\n",
    }
    return project(folder, sources | {file.replace("__", "."): text for file, text in files.items()})


class Running:
    """A load that runs; its report is there when the block has been left."""

    report: Report


@contextmanager
def load(user: User) -> Iterator[Running]:
    """Keep both apps busy, from another process, while the block runs."""
    hosts = [
        f"{name}.{network}.{user.node.domain}" for network, _, name in (app.partition("/") for app in (APP, OTHER))
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.load", str(user.node.edge_port), *hosts],
        cwd=TREE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    running = Running()
    try:
        wait_until(lambda: connections_to_edge(user) >= LASTING, "all clients of the load are connected")
        yield running
        printed, errors = process.communicate(b"", timeout=TIMEOUT)
        assert process.returncode == 0, errors.decode()
        running.report = msgspec.json.decode(printed, type=Report)
    finally:
        process.kill()
        process.wait()


def connections_to_edge(user: User) -> int:
    state = msgspec.json.decode((user.home / "node" / "edge" / "edge.json").read_bytes())
    found = psutil.Process(state["pid"]).net_connections("tcp4")
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == user.node.edge_port for each in found)


@pytest.fixture
def busy(fresh: User, tmp_path: Path) -> User:
    """A user with two apps that serve."""
    fresh.start_node()
    fresh.deploy(version(tmp_path / "busy", "v1"), APP)
    fresh.deploy(version(tmp_path / "other", "v1"), OTHER)
    return fresh


def test_no_request_is_lost(busy: User, tmp_path: Path) -> None:
    with load(busy) as run:
        busy.deploy(version(tmp_path / "busy", "v2"), APP)
        busy.ok("create", "app", "demo/newcomer")
        busy.deploy(version(tmp_path / "busy", "v3"), APP)
        busy.ok("update", "app", APP, "--scale", "web=2")
        busy.deploy(version(tmp_path / "newcomer", "v1"), "demo/newcomer")
        assert busy.get("demo/newcomer") == (200, "v1")
        busy.ok("update", "app", APP, "--scale", "web=1")
        failed = busy.rig("deploy", str(version(tmp_path / "bad", "v4", Procfile="web: false\n")), "--app", APP)
        assert failed.exit == 1
        busy.ok("rollback", APP)
        busy.ok("delete", "app", "demo/newcomer", "--yes")
        busy.deploy(version(tmp_path / "busy", "v5"), APP)
    assert run.report.failures == {}
    for name, kind in run.report.kinds.items():
        assert kind.begun == kind.whole > 0, name
    for name in ("events", "websocket"):
        # Ended by the app, when it was told to end, which is not before the time to drain was over.
        assert run.report.kinds[name].moved > 0
        assert run.report.kinds[name].shortest >= DRAIN
    assert (run.report.kinds["other app"].begun, run.report.kinds["other app"].moved) == (1, 0)


def test_a_switch_by_killing_is_found_out(busy: User, tmp_path: Path) -> None:
    """The control: what the test above checks can fail."""
    # A version whose downloads take their time and which has time to drain: both last until it is killed.
    source, slow = version(tmp_path / "busy", "slow") / "main.py", f'PAUSE = {PIECES}, b"rig" * 4096, 0.5'
    source.write_text(source.read_text().replace(f'PAUSE = {PIECES}, b"rig" * 4096, 0.05', slow))
    assert slow in source.read_text()
    busy.deploy(source.parent, APP)
    status = busy.ok("status", "app", APP, "-o", "json").data
    [old] = [each for each in status["instances"] if each["version"] == status["app"]["version"]]
    with load(busy) as run:
        new = version(tmp_path / "busy", "v2", rig__toml="[deploy]\ndrain = 120\n")
        deploying = busy.spawn("deploy", str(new), "--app", APP)
        wait_until(lambda: busy.get(APP) == (200, "v2"), "v2 serves")
        os.kill(old["pid"], signal.SIGKILL)
        deploying.communicate(timeout=TIMEOUT)
    assert {"download", "events", "websocket"} <= run.report.failures.keys()
    assert "other app" not in run.report.failures
