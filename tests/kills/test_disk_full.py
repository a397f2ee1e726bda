"""The node's disk is full at one step of a deployment: it fails, the old version serves on, the next one succeeds."""

from __future__ import annotations

import os

import pytest

from tests.kills.leftovers import open_changes
from tests.kills.machine import Machine

AT = [
    ("journal.inserted", 0),
    ("journal.inserted", 1),
    ("journal.inserted", 2),
    ("bundle.flushed", 0),
    ("bundle.placed", 0),
    ("bundle.assembled", 0),
    ("bundle.verified", 0),
    ("source.laid", 0),
    ("run.described", 0),
    ("run.described", 2),
    ("build.made", 0),
    ("instance.described", 0),
    ("edge.filled", 0),
    ("release.switched", 0),
    ("instance.committed", 0),
]


@pytest.mark.parametrize(("point", "after"), AT)
def test_the_disk_is_full(machine: Machine, point: str, after: int) -> None:
    serving = machine.serving()
    label = machine.change()
    (machine.source / "large").write_bytes(os.urandom(2 << 20))
    with machine.asker() as asker:
        machine.node_points.arm(point, "error", after)
        deployed = machine.rig("deploy", str(machine.source), "--app", "demo/app", "-o", "json")
        assert machine.node_points.reached()
        if deployed.exit:
            error = deployed.json["error"]
            assert error["code"] != "internal", error
            machine.check(serving)
            machine.deploy(machine.source, "demo/app")
        machine.check(label)
    assert open_changes(machine.home) == []
    assert asker.failures == []
