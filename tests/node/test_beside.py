"""Commands that are carried out beside the writer's thread."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig.contract.releases import BuildLog, ShowBuildLog
from rig.kernel.ids import SystemClock
from rig.node.accounts.principal import Principal
from rig.node.node import Node
from tests.node.deploying import APP, Deploying, deploying
from tests.storage.support import stamp
from tests.support import TIMEOUT

OWNER = Principal(actor="user:ana", name="ana", owner=True)
BUSY = (os.cpu_count() or 1) + 4
"""At least as many threads as asyncio shares."""


def node_of(made: Deploying) -> Node:
    ports: Any = SimpleNamespace(
        world=made.world, principal=OWNER, build_logs=SimpleNamespace(lines=lambda *asked: ([], True))
    )
    return Node(made.journal, made.world, made.writer, made.recorder, lambda who: ports, SystemClock(), "none")


@pytest.mark.parametrize("busy", ["the writer", "the threads that asyncio shares"])
def test_they_wait_for_nobody(tmp_path: Path, busy: str) -> None:
    async def scenario() -> None:
        async with deploying(tmp_path) as made:
            await made.found()
            await made.deploy()
            node, done = node_of(made), threading.Event()
            if busy == "the writer":
                calls = [made.writer.run(done.wait)]
            else:
                calls = [asyncio.to_thread(done.wait) for _ in range(BUSY)]
            waiting = asyncio.gather(*calls)
            try:
                answer, _ = await asyncio.wait_for(node.dispatch(ShowBuildLog(app=APP), stamp(), OWNER), TIMEOUT)
                assert answer == BuildLog(app=APP, version=1, complete=True)
                assert not waiting.done()
            finally:
                done.set()
                await waiting
                await node.close()

    asyncio.run(scenario())
