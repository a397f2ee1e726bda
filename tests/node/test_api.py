"""The API over HTTP, with a dispatcher made by hand."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from rig.contract.apps import DeleteApp, ShowApp, StopApp
from rig.contract.base import Command, Reply
from rig.contract.releases import Phase, Release
from rig.kernel.errors import RigError
from rig.kernel.ids import SystemClock
from rig.kernel.ports import Stamp
from rig.node.accounts.principal import Principal
from rig.node.http.api import Api, expecting
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
        # Missed, it would be found when the 30 seconds are over.
        async with TestClient(TestServer(app)) as client, asyncio.timeout(29):
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


@pytest.mark.parametrize("tag", ['"1', "1", 'W/"1"', '"1", "2"', '""', '"-1"', '"١"', f'"{10**15}"'])
def test_a_tag_that_no_answer_has_had_is_refused(tag: str) -> None:
    with pytest.raises(RigError) as refused:
        expecting(DeleteApp(app="demo/hello"), tag)
    assert refused.value.code == "usage"


def test_a_condition_is_heeded_or_refused() -> None:
    """Who stops an app only if it is as it was must not stop it whatever it is."""
    assert expecting(DeleteApp(app="demo/hello"), '"7"') == DeleteApp(app="demo/hello", expect=7)
    with pytest.raises(RigError) as refused:
        expecting(StopApp(app="demo/hello"), '"7"')
    assert (refused.value.code, refused.value.message) == ("usage", "If-Match is not heeded here. Nothing was done.")
    for command, tag in (
        (StopApp(app="demo/hello"), ""),
        (StopApp(app="demo/hello"), "*"),
        (ShowApp(app="a/b"), '"7"'),
    ):
        assert expecting(command, tag) is command
