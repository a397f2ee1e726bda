"""The API over HTTP, with a dispatcher made by hand."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from rig.contract.base import Command, Reply
from rig.contract.releases import Phase, Release
from rig.kernel.ids import SystemClock
from rig.kernel.ports import Stamp
from rig.node.accounts.principal import Principal
from rig.node.http.api import Api
from rig.node.http.origin import Origin

ANA = Principal(actor="user:ana", name="ana", owner=True)


class Changing:
    """Answers with one phase after the other. Each changes to the next right after it was looked at."""

    def __init__(self, *phases: Phase) -> None:
        self.phases = list(phases)
        self.waiting: list[asyncio.Event] = []

    def news(self, app: str) -> asyncio.Event:
        self.waiting.append(asyncio.Event())
        return self.waiting[-1]

    async def dispatch(self, command: Command, stamp: Stamp, principal: Principal) -> tuple[Reply, list[str]]:
        phase = self.phases.pop(0)
        for news in self.waiting:
            news.set()
        return Release(app="demo/hello", version=1, outcome="pending", phase=phase), []


async def authenticate(request: web.Request) -> Principal:
    return ANA


def test_a_change_between_the_look_and_the_wait_is_not_missed() -> None:
    async def scenario() -> None:
        app = web.Application()
        Api(Changing("building", "building", "checking"), authenticate, SystemClock(), Origin("")).add_routes(app)
        async with TestClient(TestServer(app)) as client, asyncio.timeout(10):
            answer = await client.get("/v1/apps/demo/hello/releases/1?wait=30&seen=building")
            assert (answer.status, (await answer.json())["phase"]) == (200, "checking")

    asyncio.run(scenario())


def test_a_wait_that_is_over_answers_as_it_is() -> None:
    async def scenario() -> None:
        app = web.Application()
        changing = Changing("building")
        Api(changing, authenticate, SystemClock(), Origin("")).add_routes(app)
        async with TestClient(TestServer(app)) as client:
            answer = await client.get("/v1/apps/demo/hello/releases/1?seen=building")
            assert (answer.status, (await answer.json())["phase"]) == (200, "building")

    asyncio.run(scenario())
