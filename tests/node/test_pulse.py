"""The node looks now and then whether it has to sign that nothing happened."""

from __future__ import annotations

import asyncio

import pytest

from rig.kernel.errors import RigError
from rig.node.pulse import Pulse

FULL = "The disk is full."


@pytest.mark.parametrize("fails", [None, RigError("journal_unavailable", FULL), OSError(FULL)])
def test_it_goes_on_looking_until_it_is_closed(fails: Exception | None, caplog: pytest.LogCaptureFixture) -> None:
    looks: list[int] = []

    async def scenario() -> None:
        seen = asyncio.Event()

        async def beat() -> None:
            looks.append(1)
            if len(looks) == 3:
                seen.set()
            if fails is not None:
                raise fails

        pulse = Pulse(beat, every=0)
        pulse.start()
        await asyncio.wait_for(seen.wait(), 10)
        await pulse.close()
        before = len(looks)
        await asyncio.sleep(0)
        assert len(looks) == before

    asyncio.run(scenario())
    assert len(looks) >= 3
    assert (FULL in caplog.text) == (fails is not None)
