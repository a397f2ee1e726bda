"""Client, node or both are killed at any moment of a deployment, again and again: ``RIG_KILLS=200`` for a long run."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from contextlib import suppress
from subprocess import Popen, TimeoutExpired

from tests.kills.leftovers import open_changes
from tests.kills.machine import APP, Machine
from tests.support import TIMEOUT

KILLS = int(os.environ.get("RIG_KILLS", "10"))
SEED = int(os.environ.get("RIG_KILLS_SEED", "20260601"))
LATEST = 1.3
"""A kill comes after at most so many times the seconds that a deployment takes."""
STARTING = 0.5
"""Seconds after which a node that is being started is killed, at most."""


def test_killed_at_any_moment(isolated: Machine) -> None:
    machine, chance = isolated, random.Random(SEED)
    seconds = _typical_seconds(machine)
    killed: Counter[str] = Counter()
    with machine.asker() as asker:
        while killed["client"] + killed["node"] + killed["both"] < KILLS:
            victim, delay = chance.choice(["client", "node", "both"]), chance.uniform(0, LATEST * seconds)
            again = chance.uniform(0, STARTING) if chance.random() < 0.25 else 0.0
            where = f"seed {SEED}, after {killed}: the {victim}, {delay:.3f} s into the deployment, {again:.3f} s"
            before = machine.releases()[0].version
            label = machine.change()
            deploying = machine.start_deploy()
            with suppress(TimeoutExpired):
                deploying.wait(delay)
            killed[victim] += deploying.poll() is None
            if victim != "node":
                deploying.kill()
            if victim != "client":
                machine.kill_node()
                _start_again(machine, again)
                killed["starting node"] += again > 0
            deploying.communicate(timeout=TIMEOUT)
            _complete(machine, deploying, before, where)
            machine.check(label)
            assert machine.releases()[0].version == before + 1, where
            assert open_changes(machine.home) == [], where
            assert asker.failures == [], where
    print(f"killed: {dict(killed)}; {asker.answered} requests meanwhile, all answered")


def _typical_seconds(machine: Machine) -> float:
    began = time.monotonic()
    machine.change()
    machine.deploy(machine.source, APP)
    return time.monotonic() - began


def _start_again(machine: Machine, killed_after: float) -> None:
    """Start the node; where ``killed_after`` says so, kill it that many seconds later and start it once more."""
    if killed_after:
        child = machine.spawn_node()
        with suppress(TimeoutExpired):
            child.wait(killed_after)
        machine.kill_node()
    machine.run_node()


def _complete(machine: Machine, deployed: Popen[str], before: int, where: str) -> None:
    """Go on with what was begun, or deploy again where nothing was."""
    if deployed.returncode == 0:
        return
    resumed = machine.resume()
    if resumed.exit:
        assert (resumed.exit, resumed.json["error"]["code"]) == (66, "not_found"), f"{where}\n{resumed.stderr}"
    if machine.releases()[0].version == before:
        machine.deploy(machine.source, APP)
