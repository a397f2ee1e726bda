"""The node is killed while it scales, stops, starts, restarts and deletes: what was asked for is done by the next one.

All of it with isolated apps, where bubblewrap is there.
"""

from __future__ import annotations

import pytest

from tests.kills.leftovers import broken_journals, leftovers, open_changes, strays
from tests.kills.machine import APP, Machine
from tests.support import TIMEOUT, wait_until

GONE = "extra/gone"
NOT_RECORDED = {("bus.handled", 0), ("journal.inserted", 1)}
FEW = 200
"""Bytes that are sent of a source that is there."""


def kill_during(machine: Machine, point: str, *command: str, after: int = 0) -> None:
    """Run a command, have the node killed at ``point``, start it again, and see the command to its end."""
    machine.node_points.arm(point, after=after)
    with machine.start(*command) as running:
        machine.killed_node()
        machine.run_node()
        running.communicate(timeout=TIMEOUT)
    machine.ok("whoami")  # whose end is not known here is learned now
    assert open_changes(machine.home) == []


def instances(machine: Machine) -> list[tuple[str, str]]:
    return [(each.name, each.state) for each in machine.status().instances]


def clean(machine: Machine) -> None:
    """Nothing is left behind by anything."""
    removed = machine.home / "node" / "removed"
    wait_until(lambda: not strays(machine.home), "no process is left over")
    wait_until(lambda: not leftovers(machine.home), "no file is left over")
    wait_until(lambda: not removed.exists() or not any(removed.iterdir()), "the disk is free")
    assert broken_journals(machine.home) == []


@pytest.mark.parametrize(
    "point",
    ["scale.heard", "instance.described", "run.ready", "scale.started", "edge.filled", "scale.switched"],
)
def test_killed_while_an_app_grows(isolated: Machine, point: str) -> None:
    with isolated.asker() as asker:
        kill_during(isolated, point, "update", "app", APP, "--scale", "web=2")
        wait_until(lambda: instances(isolated) == [("web.1", "up"), ("web.2", "up")], "two instances are up")
        clean(isolated)
        isolated.ok("update", "app", APP, "--scale", "web=1")
        wait_until(isolated.calm, "one instance is up")
    assert asker.failures == []
    assert asker.answered


@pytest.mark.parametrize(
    "point", ["scale.heard", "scale.left", "scale.started", "scale.switched", "release.drained", "instance.ended"]
)
def test_killed_while_an_app_shrinks(isolated: Machine, point: str) -> None:
    isolated.ok("update", "app", APP, "--scale", "web=2")
    wait_until(lambda: instances(isolated) == [("web.1", "up"), ("web.2", "up")], "two instances are up")
    with isolated.asker() as asker:
        kill_during(isolated, point, "update", "app", APP, "--scale", "web=1")
        isolated.check(isolated.serving())
    assert asker.failures == []
    assert asker.answered


@pytest.mark.parametrize("point", ["scale.heard", "scale.left", "scale.started", "scale.switched", "instance.ended"])
def test_killed_while_an_app_stops(isolated: Machine, point: str) -> None:
    label = isolated.serving()
    kill_during(isolated, point, "stop", APP)
    wait_until(lambda: instances(isolated) == [], "nothing runs")
    assert isolated.get(APP)[0] == 503
    clean(isolated)
    isolated.ok("start", APP)
    isolated.check(label)


@pytest.mark.parametrize("point", ["scale.heard", "instance.described", "run.ready", "scale.switched"])
def test_killed_while_an_app_starts(isolated: Machine, point: str) -> None:
    label = isolated.serving()
    isolated.ok("stop", APP)
    kill_during(isolated, point, "start", APP)
    isolated.check(label)


@pytest.mark.parametrize(
    "point",
    [
        "restart.heard",
        "instance.launched",
        "restart.switched",
        "instance.committed",
        "restart.done",
        "restart.recorded",
        "release.drained",
    ],
)
def test_killed_while_an_app_restarts(isolated: Machine, point: str) -> None:
    label, [before] = isolated.serving(), isolated.status().instances
    with isolated.asker() as asker:
        kill_during(isolated, point, "restart", APP)
        isolated.check(label)
        wait_until(lambda: [each.pid for each in isolated.status().instances] != [before.pid], "another process serves")
    assert asker.failures == []
    assert asker.answered


def tokens(machine: Machine) -> list[str]:
    return [each["name"] for each in machine.ok("list", "tokens", "-o", "json").data["tokens"]]


@pytest.mark.parametrize(
    ("point", "after", "whole_network"),
    [
        ("journal.inserted", 1, False),
        ("removal.heard", 0, False),
        ("removal.unrouted", 0, False),
        ("instance.ended", 0, False),
        ("removal.ended", 0, False),
        ("removal.cleared", 0, False),
        ("bus.handled", 0, True),
        ("journal.committed", 1, True),
        ("bus.concluded", 0, True),
        ("removal.ended", 0, True),
    ],
)
def test_killed_while_something_is_deleted(isolated: Machine, point: str, after: int, whole_network: bool) -> None:
    label = isolated.serving()
    isolated.deploy(isolated.source, GONE)
    if tokens(isolated) == []:
        isolated.ok("create", "token", "deployer", "--network", "extra")
    deletion = ("network", "extra", "--cascade") if whole_network else ("app", GONE)
    with isolated.asker() as asker:
        kill_during(isolated, point, "delete", *deletion, "--yes", after=after)
        if (point, after) in NOT_RECORDED:  # then nothing at all was done
            assert tokens(isolated) == ["deployer"]
            assert isolated.deploy(isolated.source, GONE).data["sent"] < FEW
            assert isolated.get(GONE) == (200, f"{label} /")
            isolated.ok("delete", *deletion, "--yes")
        assert isolated.rig("details", "app", GONE).exit == 66
        assert tokens(isolated) == ([] if whole_network else ["deployer"])
        wait_until(lambda: isolated.get(GONE)[0] == 404, "it has no address")
        folder = isolated.home / "node" / "networks" / "extra" / "apps" / "gone"
        wait_until(lambda: not folder.exists(), "its files are out of the way")
        clean(isolated)
        # The name can be taken again, and what is made of it begins with nothing.
        isolated.deploy(isolated.source, GONE)
        assert isolated.get(GONE)[0] == 200
        isolated.ok("delete", "network", "extra", "--cascade", "--yes")
        isolated.check(label)
    assert asker.failures == []
    assert asker.answered
