"""Who deploys an app holds it, and nobody who was killed holds up the next one.

The lock is the node's: it is taken when a release is accepted, and ends with the release, whatever becomes of the
client.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.e2e.rig import project
from tests.kills.machine import APP, Machine
from tests.support import TIMEOUT, wait_until

PATIENCE = "120"
"""Seconds, for `--lock-wait`: more than a killed holder may cost the next one, however busy the machine is."""


def kill_client(machine: Machine, point: str, *more: str) -> None:
    machine.client_points.arm(point)
    with machine.start_deploy(*more) as deploying:
        _, stderr = deploying.communicate(timeout=TIMEOUT)
    assert deploying.returncode == -signal.SIGKILL, stderr
    assert machine.client_points.reached()
    machine.client_points.clear()


def held(machine: Machine, gate: Path) -> str:
    """A version of which the build lasts until the gate is there; gives its label."""
    label = machine.change()
    build = f'[build]\ncommand = "while ! test -e {gate}; do sleep 0.05; done"\n[deploy]\ndrain = 1\n'
    project(machine.source, {"rig.toml": build})
    return label


@pytest.mark.parametrize(
    "point", ["deploy.listed", "upload.asked", "upload.sending", "upload.packed", "upload.complete"]
)
def test_a_client_that_is_killed_before_its_release_is_accepted_holds_nothing(machine: Machine, point: str) -> None:
    machine.change()
    kill_client(machine, point)
    label = machine.change()
    machine.ok("deploy", str(machine.source), "--app", APP)
    machine.check(label)


@pytest.mark.parametrize("point", ["deploy.accepted", "deploy.begun", "follow.looked"])
def test_a_release_goes_on_without_its_client_and_the_next_is_told(
    machine: Machine, tmp_path: Path, point: str
) -> None:
    gate, before = tmp_path / "gate", machine.releases()[0].version
    held(machine, gate)
    kill_client(machine, point, "--message", "Try it out")
    label = machine.change()
    try:
        refused = machine.rig("deploy", str(machine.source), "--app", APP, "-o", "json")
        error = refused.json["error"]
        assert (refused.exit, error["code"], error["retryable"]) == (75, "locked", True)
        [first] = [release for release in machine.releases() if release.version == before + 1]
        assert error["details"] == {
            "holder": first.created_by,
            "since": first.created_at,
            "version": before + 1,
            "said": "Try it out",
        }
        with machine.start_deploy("--lock-wait", PATIENCE, "-o", "jsonl") as waiting:
            assert waiting.stdout is not None
            said = next(event for event in map(json.loads, waiting.stdout) if "Waiting:" in event.get("text", ""))
            since = first.created_at[:19].replace("T", " ")
            assert f"has been deploying v{before + 1} of `demo/app` since {since}Z" in said["text"]
            assert "“Try it out”" in said["text"]
            gate.touch()
            result = [json.loads(line) for line in waiting.stdout][-1]
        assert (waiting.returncode, result["data"]["version"]) == (0, before + 2), result
    finally:
        gate.touch()
    machine.check(label)
    assert [(each.version, each.outcome) for each in machine.releases()[:2]] == [
        (before + 2, "succeeded"),
        (before + 1, "succeeded"),
    ]


@pytest.mark.parametrize(
    "point", ["release.heard", "run.going", "release.built", "release.healthy", "release.succeeded"]
)
def test_a_node_that_is_killed_holds_nobody_up_when_it_is_back(machine: Machine, point: str) -> None:
    before = machine.releases()[0].version
    machine.change()
    machine.node_points.arm(point)
    with machine.start_deploy("--detach") as deploying:
        machine.killed_node()
        deploying.kill()
    machine.run_node()
    label = machine.change()
    machine.ok("deploy", str(machine.source), "--app", APP, "--lock-wait", PATIENCE)
    machine.check(label)
    # Whether the first one got as far as a release decides the number of this one; there is no third.
    wait_until(lambda: machine.releases()[0].version in (before + 1, before + 2), "one release for each")
