"""`rig rollback` is cut off: it is made once or not at all, and the next command learns which."""

from __future__ import annotations

import signal

import pytest

from tests.kills.leftovers import open_changes
from tests.kills.machine import APP, Machine
from tests.support import TIMEOUT

CLIENT = [("journal.inserted", 0), ("bus.intended", 0), ("follow.looked", 1), ("bus.handled", 1), ("bus.concluded", 1)]
NODE = ["bus.intended", "bus.handled", "release.healthy", "release.switched", "release.committed", "release.succeeded"]


@pytest.fixture
def two_versions(machine: Machine) -> tuple[Machine, str, str]:
    """A machine that serves another version than before: it, the label of the one before, that of the new one."""
    first, second = machine.serving(), machine.change()
    machine.deploy(machine.source, APP)
    machine.check(second)
    return machine, first, second


@pytest.mark.parametrize(("point", "made"), CLIENT)
def test_the_client_is_killed(two_versions: tuple[Machine, str, str], point: str, made: int) -> None:
    machine, first, second = two_versions
    before = machine.releases()[0].version
    with machine.asker() as asker:
        machine.client_points.arm(point)
        rolling = machine.start("rollback", APP)
        _, stderr = rolling.communicate(timeout=TIMEOUT)
        assert rolling.returncode == -signal.SIGKILL, stderr
        assert machine.client_points.reached()
        machine.client_points.clear()
        machine.check(first if made else second)
    machine.ok("whoami")
    assert machine.releases()[0].version == before + made
    assert open_changes(machine.home) == []
    assert asker.failures == []


@pytest.mark.parametrize("point", NODE)
def test_the_node_is_killed(two_versions: tuple[Machine, str, str], point: str) -> None:
    """A request whose answer was lost is sent again, under its key, as long as somebody waits for it."""
    machine, first, second = two_versions
    before = machine.releases()[0].version
    with machine.asker() as asker:
        machine.node_points.arm(point)
        rolling = machine.start("rollback", APP)
        machine.killed_node()
        machine.run_node()
        rolling.communicate(timeout=TIMEOUT)
        made = machine.releases()[0].version - before
        machine.check(first if made else second)
    machine.ok("whoami")
    assert made in ((0, 1) if point.startswith("bus.") else (1,))
    assert open_changes(machine.home) == []
    assert asker.failures == []
