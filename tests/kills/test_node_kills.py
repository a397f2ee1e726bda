"""The node is killed at each of its failpoints while a second version is deployed over one that serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.kills.leftovers import edge_of, leftovers, open_changes, strays
from tests.kills.machine import APP, Machine
from tests.support import TIMEOUT, wait_until

JOURNAL = ("journal.inserted", "journal.committed")
APPENDS = ("the request", "the release", "the build", "the success")

KILLS = [
    *(pytest.param(point, number, id=f"{point}, {what}") for number, what in enumerate(APPENDS) for point in JOURNAL),
    ("pin.written", 0),
    ("journal.pinned", 0),
    ("tokens.issued", 0),
    ("bundle.spooled", 0),
    ("bundle.flushed", 0),
    ("bundle.placed", 0),
    ("bundle.indexed", 0),
    ("bundle.assembled", 0),
    ("bundle.verified", 0),
    ("bundle.committed", 0),
    ("bus.intended", 0),
    ("bus.handled", 0),
    ("bus.concluded", 0),
    ("release.heard", 0),
    ("source.laid", 0),
    *(
        pytest.param(point, number, id=f"{point}, {what}")
        for number, what in enumerate(("the build", "the release command"))
        for point in ("run.described", "run.ready", "run.going")
    ),
    ("build.made", 0),
    ("build.saved", 0),
    ("release.built", 0),
    ("release.commanded", 0),
    ("instance.described", 0),
    pytest.param("run.described", 2, id="run.described, the instance"),
    pytest.param("run.ready", 2, id="run.ready, the instance"),
    ("instance.launched", 0),
    ("release.healthy", 0),
    ("edge.filled", 0),
    *(pytest.param("file.written", number, id=f"file.written, number {number + 1}") for number in range(3)),
    ("release.switched", 0),
    ("instance.committed", 0),
    ("release.committed", 0),
    ("release.succeeded", 0),
    ("release.drained", 0),
    ("instance.ended", 0),
]

ISOLATED_KILLS = [
    ("run.ready", 0),
    ("run.going", 0),
    ("run.going", 1),
    ("build.made", 0),
    ("run.ready", 2),
    ("instance.launched", 0),
    ("release.switched", 0),
    ("release.committed", 0),
    ("instance.ended", 0),
]
"""Those at which something isolated runs that the next node has to find: a build, a release command, instances."""


def newest(machine: Machine) -> list[tuple[int, str]]:
    """The two newest releases: version and outcome."""
    return [(release.version, release.outcome) for release in machine.releases()[:2]]


@pytest.mark.parametrize(("point", "after"), KILLS)
def test_killed_and_started_again(machine: Machine, point: str, after: int) -> None:
    kill_and_start_again(machine, point, after)


@pytest.mark.parametrize(("point", "after"), ISOLATED_KILLS)
def test_killed_and_started_again_with_isolated_apps(isolated: Machine, point: str, after: int) -> None:
    kill_and_start_again(isolated, point, after)


def kill_and_start_again(machine: Machine, point: str, after: int) -> None:
    before = machine.releases()[0].version
    label = machine.change()
    (machine.source / "large").write_bytes(os.urandom(2 << 20))
    if point == "tokens.issued":
        machine.expire_token()
    with machine.asker() as asker:
        machine.node_points.arm(point, after=after)
        deploying = machine.start_deploy()
        machine.killed_node()
        machine.run_node()
        _, stderr = deploying.communicate(timeout=TIMEOUT)
        if deploying.returncode:
            resumed = machine.resume()
            assert resumed.exit == 0, f"{stderr}\n{resumed.stderr}"
        machine.check(label)
    assert newest(machine) == [(before + 1, "succeeded"), (before, "succeeded")]
    assert open_changes(machine.home) == []
    assert asker.failures == []
    assert asker.answered


@pytest.mark.parametrize("point", ["node.adopted", "node.routed", "node.ended", "node.ready"])
def test_killed_in_the_middle_of_a_switch_and_again_while_it_starts(machine: Machine, point: str) -> None:
    before = machine.releases()[0].version
    label = machine.change()
    with machine.asker() as asker:
        machine.node_points.arm("release.committed")
        deploying = machine.start_deploy("--detach")
        machine.killed_node()
        deploying.communicate()
        machine.node_points.arm(point)
        machine.spawn_node()
        machine.killed_node()
        machine.run_node()
        machine.check(label)
    assert newest(machine) == [(before + 1, "succeeded"), (before, "succeeded")]
    assert asker.failures == []


def test_killed_as_it_has_started_an_edge_of_which_nobody_knows(machine: Machine) -> None:
    label = machine.serving()
    machine.kill_node()
    edge = edge_of(machine.home)
    with machine.asker() as asker:
        os.kill(edge.pid, signal.SIGKILL)
        wait_until(lambda: asker.failures, "nobody answers")  # the asker of the other tests would have noticed
    machine.node_points.arm("edge.spawned")
    machine.spawn_node()
    machine.killed_node()
    machine.run_node()
    machine.check(label)


def test_killed_as_the_edge_has_new_routes(machine: Machine) -> None:
    """Only what is served for the first time changes the routes."""
    label = machine.change()
    with machine.asker() as asker:
        machine.node_points.arm("edge.loaded")
        deploying = machine.start_deploy("--app", "demo/new", "--create")
        machine.killed_node()
        machine.run_node()
        deploying.communicate()
        assert machine.rig("deploy", str(machine.source), "--app", "demo/new", "--resume").exit == 0
        assert machine.get("demo/new") == (200, f"{label} /")
    assert [release.version for release in machine.releases("demo/new")] == [1]
    assert asker.failures == []
    machine.ok("delete", "app", "demo/new", "--yes")


@pytest.mark.parametrize("point", ["release.failing", "release.failed"])
def test_killed_as_a_release_fails(machine: Machine, point: str) -> None:
    before, label = machine.releases()[0].version, machine.serving()
    (machine.source / "main.py").write_text("raise SystemExit('it cannot start')\n")
    with machine.asker() as asker:
        machine.node_points.arm(point)
        deploying = machine.start_deploy()
        machine.killed_node()
        machine.run_node()
        deploying.communicate()
        resumed = machine.resume()
        assert (resumed.exit, resumed.json["error"]["code"]) == (1, "app_crashed")
        machine.check(label)
    assert newest(machine)[0] == (before + 1, "failed")
    assert asker.failures == []
    # The next deployment is an ordinary one, and settles what the killed one had left open here.
    label = machine.change()
    machine.deploy(machine.source, APP)
    machine.check(label)
    assert open_changes(machine.home) == []


@pytest.mark.skipif(sys.platform != "linux", reason="strays are found by /proc")
def test_what_is_left_over_is_found(machine: Machine) -> None:
    """The checks of the other tests, where they have to fail."""
    state = machine.home / "node" / "networks" / "demo" / "apps" / "app" / "run" / "stale"
    state.mkdir()
    assert leftovers(machine.home) == [str(state)]
    with subprocess.Popen(["/bin/cat"], cwd=state, stdin=subprocess.PIPE) as stray:
        wait_until(lambda: [line.split()[0] for line in strays(machine.home)] == [str(stray.pid)], "it is found")
    state.rmdir()
    assert strays(machine.home) == leftovers(machine.home) == []
