"""`rig promote` is cut off: the other app gets one release of the whole build or none, and it is known which."""

from __future__ import annotations

import signal

import pytest

from rig.contract.releases import Release
from tests.kills.leftovers import open_changes
from tests.kills.machine import APP, Machine
from tests.support import TIMEOUT, wait_until

TARGET = "demo/target"
PROMOTE = ("promote", APP, TARGET, "--yes")
CLIENT = [("bus.intended", 0), ("follow.looked", 1), ("bus.handled", 1), ("bus.concluded", 1)]
NODE = [
    "bus.intended",
    "bus.handled",
    "release.heard",
    "promotion.copied",
    "promotion.kept",
    "release.commanded",
    "release.healthy",
    "release.switched",
    "release.committed",
    "release.succeeded",
]


@pytest.fixture
def new_version(machine: Machine) -> tuple[Machine, str]:
    """A machine whose `demo/app` serves a version that `demo/target` has not; it, and the label of that version."""
    machine.rig("create", "app", TARGET)
    label = machine.change()
    machine.deploy(machine.source, APP)
    machine.check(label)
    return machine, label


def newest(machine: Machine) -> Release | None:
    releases = machine.releases(TARGET)
    return releases[0] if releases else None


def number(machine: Machine) -> int:
    release = newest(machine)
    return release.version if release else 0


def check(machine: Machine, label: str, *, made: bool) -> None:
    """The source serves as before; the target serves the same build where the promotion was accepted."""
    wait_until(lambda: machine.calm(TARGET), "nothing is under way")
    machine.check(label)
    served = machine.get(TARGET) == (200, f"{label} /")
    assert served == made
    if not made:
        return
    release = newest(machine)
    assert release is not None
    assert (release.outcome, release.rebuilt) == ("succeeded", False)
    assert release.promoted is not None
    assert release.promoted.build == machine.releases()[0].build


@pytest.mark.parametrize(("point", "made"), CLIENT)
def test_the_client_is_killed(new_version: tuple[Machine, str], point: str, made: int) -> None:
    machine, label = new_version
    before = number(machine)
    machine.client_points.arm(point)
    promoting = machine.start(*PROMOTE)
    _, stderr = promoting.communicate(timeout=TIMEOUT)
    assert promoting.returncode == -signal.SIGKILL, stderr
    assert machine.client_points.reached()
    machine.client_points.clear()
    check(machine, label, made=bool(made))
    machine.ok("whoami")
    assert number(machine) == before + made
    assert open_changes(machine.home) == []


@pytest.mark.parametrize("point", NODE)
def test_the_node_is_killed(new_version: tuple[Machine, str], point: str) -> None:
    machine, label = new_version
    before = number(machine)
    machine.node_points.arm(point)
    promoting = machine.start(*PROMOTE)
    machine.killed_node()
    machine.run_node()
    promoting.communicate(timeout=TIMEOUT)
    made = number(machine) - before
    check(machine, label, made=bool(made))
    machine.ok("whoami")
    assert made in ((0, 1) if point.startswith("bus.") else (1,))
    assert open_changes(machine.home) == []
    # Once more brings it there where it was not, and makes nothing where it was.
    machine.ok(*PROMOTE)
    assert number(machine) == before + 1
    check(machine, label, made=True)
