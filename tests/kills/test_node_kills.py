"""The node is killed at each of its failpoints while a second version is deployed over one that serves."""

from __future__ import annotations

import os

import pytest

from tests.kills.leftovers import open_changes
from tests.kills.machine import Machine

JOURNAL = ("journal.inserted", "journal.committed", "pin.written", "journal.pinned")
APPENDS = ("the request", "the release", "the build", "the success")

KILLS = [
    *(pytest.param(point, number, id=f"{point}, {what}") for number, what in enumerate(APPENDS) for point in JOURNAL),
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
    ("release.switched", 0),
    ("instance.committed", 0),
    ("release.committed", 0),
    ("release.succeeded", 0),
    ("release.drained", 0),
    ("instance.ended", 0),
]


@pytest.mark.parametrize(("point", "after"), KILLS)
def test_killed_and_started_again(machine: Machine, point: str, after: int) -> None:
    before = machine.releases()[0].version
    label = machine.change()
    (machine.source / "large").write_bytes(os.urandom(2 << 20))
    with machine.asker() as asker:
        machine.node_points.arm(point, after=after)
        deploying = machine.start_deploy()
        machine.killed_node()
        machine.run_node()
        _, stderr = deploying.communicate(timeout=60)
        if deploying.returncode:
            resumed = machine.resume()
            assert resumed.exit == 0, f"{stderr}\n{resumed.stderr}"
        machine.check(label)
    assert [(r.version, r.outcome) for r in machine.releases()][:2] == [
        (before + 1, "succeeded"),
        (before, "succeeded"),
    ]
    assert open_changes(machine.home) == []
    assert asker.failures == []
    assert asker.answered
