"""`rig deploy` is killed at each of its failpoints: `--resume` completes what was begun, and nothing is made twice."""

from __future__ import annotations

import os
import signal

import pytest

from tests.kills.leftovers import open_changes
from tests.kills.machine import APP, Machine
from tests.support import TIMEOUT, wait_until

JOURNAL = ("journal.inserted", "journal.committed", "pin.written", "journal.pinned")
APPENDS = ("its intent", "the beginning of the release", "its outcome")

KILLS = [
    *(pytest.param(point, number, id=f"{point}, {what}") for number, what in enumerate(APPENDS) for point in JOURNAL),
    ("file.written", 0),
    ("bus.intended", 0),
    ("bus.handled", 0),
    ("bus.concluded", 0),
    ("tokens.renewed", 0),
    ("tokens.kept", 0),
    ("deploy.listed", 0),
    ("upload.asked", 0),
    ("upload.sending", 0),
    pytest.param("upload.sending", 3, id="upload.sending, in the middle"),
    ("upload.packed", 0),
    ("upload.complete", 0),
    ("deploy.accepted", 0),
    ("deploy.begun", 0),
    ("follow.looked", 0),
    ("deploy.over", 0),
]
NOTHING_BEGAN = {("journal.inserted", 0)}
OVER = {("journal.committed", 2), ("pin.written", 2), ("journal.pinned", 2), ("bus.concluded", 0)}


def kill(machine: Machine, point: str, after: int = 0, *more: str) -> None:
    """Deploy, and be killed at ``point``."""
    machine.client_points.arm(point, after=after)
    if point.startswith("tokens."):
        machine.expire_token()
    deploying = machine.start_deploy(*more)
    _, stderr = deploying.communicate(timeout=TIMEOUT)
    assert deploying.returncode == -signal.SIGKILL, stderr
    assert machine.client_points.reached()
    machine.client_points.clear()


@pytest.mark.parametrize(("point", "after"), KILLS)
def test_killed_and_resumed(machine: Machine, point: str, after: int) -> None:
    before = machine.releases()[0].version
    label = machine.change()
    (machine.source / "noise").write_bytes(os.urandom(3 << 20))
    with machine.asker() as asker:
        kill(machine, point, after)
        resumed = machine.resume()
        if (point, after) in NOTHING_BEGAN:
            assert (resumed.exit, resumed.json["error"]["code"]) == (66, "not_found")
            machine.ok("deploy", str(machine.source), "--app", APP)
        elif (point, after) in OVER:
            assert (resumed.exit, resumed.json["error"]["code"]) == (66, "not_found")
        else:
            assert resumed.exit == 0, resumed.stderr
        machine.check(label)
    assert [(r.version, r.outcome) for r in machine.releases()][:2] == [
        (before + 1, "succeeded"),
        (before, "succeeded"),
    ]
    assert open_changes(machine.home) == []
    assert asker.failures == []
    assert asker.answered


@pytest.mark.parametrize("again", [["resume.found"], ["reconcile.told"], ["resume.found", "reconcile.told"]])
def test_the_resuming_command_is_killed_too(machine: Machine, again: list[str]) -> None:
    before = machine.releases()[0].version
    label = machine.change()
    kill(machine, "deploy.begun")
    for point in again:
        kill(machine, point, 0, "--resume")
    machine.resume()
    machine.check(label)
    assert [(r.version, r.outcome) for r in machine.releases()][:2] == [
        (before + 1, "succeeded"),
        (before, "succeeded"),
    ]
    assert open_changes(machine.home) == []


def test_killed_while_the_node_has_its_request_and_has_done_nothing(machine: Machine) -> None:
    """The node stands still between the intent and the release; the client is killed, and the node goes on."""
    before = machine.releases()[0].version
    label = machine.change()
    machine.node_points.arm("bus.intended", "stop")
    deploying = machine.start_deploy()
    wait_until(machine.node_points.reached, "the node has the request")
    deploying.kill()
    deploying.communicate()
    resumed = machine.start_deploy("--resume")
    os.kill(machine.node.pid, signal.SIGCONT)
    _, stderr = resumed.communicate(timeout=TIMEOUT)
    assert resumed.returncode == 0, stderr
    machine.check(label)
    assert machine.releases()[0].version == before + 1
    assert open_changes(machine.home) == []
