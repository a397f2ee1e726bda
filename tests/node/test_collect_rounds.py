"""When the node collects by itself."""

from __future__ import annotations

import asyncio

import pytest

from events.app import DeploySucceeded
from events.base import Fact
from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded
from rig.node.collect.rounds import AFTER_DEPLOY, DAILY, FIRST, HOURLY, Rounds, due
from tests.support import until


@pytest.mark.parametrize(
    ("last", "deployed", "then"),
    [
        (None, None, FIRST),
        (None, 5.0, 5.0 + AFTER_DEPLOY),
        (None, FIRST, FIRST),
        (1000.0, None, 1000.0 + DAILY),
        (1000.0, 1010.0, 1000.0 + HOURLY),
        (1000.0, 9000.0, 9000.0 + AFTER_DEPLOY),
        (1000.0, 1000.0 + DAILY, 1000.0 + DAILY),
    ],
)
def test_once_a_day_and_soon_after_deployments(last: float | None, deployed: float | None, then: float) -> None:
    assert due(0.0, last, deployed) == then


def record(fact: Fact) -> Recorded:
    return Recorded(
        pos=0,
        id="",
        stream="",
        ver=1,
        at=0,
        actor="",
        outcome="",
        target="",
        src="",
        session="",
        corr="",
        caus="",
        idem="",
        fact=fact,
    )


def test_a_deployment_brings_the_next_round_forward_and_a_failure_ends_none() -> None:
    async def scenario() -> None:
        now = 0.0
        rounds: list[float] = []

        async def collect() -> None:
            rounds.append(now)
            if len(rounds) == 1:
                raise RigError("locked", "Somebody else is at it.")
            if len(rounds) == 2:
                raise OSError("the disk is gone")

        made = Rounds(collect, clock=lambda: now)
        running = asyncio.create_task(made.run())
        for number in range(3):
            now += DAILY
            made.hear(record(DeploySucceeded(app="demo/hello", version=number)))

            async def collected(number: int = number) -> bool:
                return len(rounds) == number + 1

            await until(collected, f"round {number}")
        running.cancel()
        assert rounds == [DAILY, 2 * DAILY, 3 * DAILY]

    asyncio.run(scenario())
