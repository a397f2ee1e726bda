"""The node looks now and then whether it has to sign that nothing happened."""

from __future__ import annotations

import asyncio

import pytest

from rig.kernel.errors import RigError
from rig.node.pulse import pulse
from tests.support import TIMEOUT

FULL = "The disk is full."


@pytest.mark.parametrize("fails", [None, RigError("journal_unavailable", FULL), OSError(FULL)])
def test_it_goes_on_looking_until_it_is_cancelled(fails: Exception | None, caplog: pytest.LogCaptureFixture) -> None:
    looks: list[int] = []

    async def scenario() -> None:
        seen = asyncio.Event()

        async def beat() -> None:
            looks.append(1)
            if len(looks) == 3:
                seen.set()
            if fails is not None:
                raise fails

        looking = asyncio.create_task(pulse(beat, every=0))
        await asyncio.wait_for(seen.wait(), TIMEOUT)
        assert looking.cancel()
        await asyncio.wait([looking])
        assert looking.cancelled()

    asyncio.run(scenario())
    assert len(looks) >= 3
    assert (FULL in caplog.text) == (fails is not None)
