"""Turns: never more at once than allowed, everybody's turn comes, and nobody is held up by a crowd."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from rig.node.deploy.turns import Turns
from tests.support import TIMEOUT


class Crowd:
    """Those who want a turn, and keep it until they are told to go."""

    def __init__(self, limit: int) -> None:
        self.turns = Turns(limit)
        self.going: list[str] = []
        self.order: list[str] = []
        self._doors: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def comes(self, *names: str) -> None:
        """``a1`` is the first of group ``a``."""
        for name in names:
            self._doors[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._stay(name))
            await settled()

    async def _stay(self, name: str) -> None:
        async with self.turns.turn(name[0]):
            self.going.append(name)
            self.order.append(name)
            try:
                await self._doors[name].wait()
            finally:
                self.going.remove(name)

    async def goes(self, *names: str) -> None:
        for name in names:
            self._doors[name].set()
            await settled()

    async def gives_up(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.gather(self._tasks[name], return_exceptions=True)
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_some_go_and_the_rest_waits() -> None:
    async def scenario() -> None:
        crowd = Crowd(2)
        await crowd.comes("a1", "a2", "a3", "a4")
        assert (crowd.going, crowd.turns.waiting) == (["a1", "a2"], 2)
        await crowd.goes("a2")
        assert (crowd.going, crowd.turns.waiting) == (["a1", "a3"], 1)
        await crowd.goes("a1", "a3", "a4")
        assert (crowd.going, crowd.turns.waiting) == ([], 0)

    asyncio.run(scenario())


def test_a_crowd_holds_nobody_else_up() -> None:
    async def scenario() -> None:
        crowd = Crowd(2)
        await crowd.comes("a1", "a2", "a3", "a4", "b1", "b2", "c1")
        await crowd.goes("a1")
        assert crowd.going == ["a2", "b1"], "one that has none comes before one that has"
        await crowd.goes("a2")
        assert crowd.going == ["b1", "a3"], "of those that have none the one that waits for longest"
        await crowd.goes("a3")
        assert crowd.going == ["b1", "c1"], "and not the one that had a turn just now"
        await crowd.comes("d1")
        await crowd.goes("c1")
        assert crowd.going == ["b1", "a4"], "who comes later does not push in for ever"
        await crowd.goes("b1")
        assert crowd.going == ["a4", "b2"]
        await crowd.goes("a4")
        assert crowd.going == ["b2", "d1"]

    asyncio.run(scenario())


def test_who_gives_up_takes_no_turn_with_it() -> None:
    async def scenario() -> None:
        crowd = Crowd(1)
        await crowd.comes("a1", "a2", "b1")
        await crowd.gives_up("a2")
        assert crowd.turns.waiting == 1
        await crowd.gives_up("a1")
        assert crowd.going == ["b1"]
        await crowd.gives_up("b1")
        await crowd.comes("a3")
        assert crowd.going == ["a3"]
        await crowd.goes("a3")

    asyncio.run(scenario())


def test_who_gives_up_in_the_moment_of_its_turn_hands_it_on() -> None:
    async def scenario() -> None:
        turns = Turns(1)
        first = turns.turn("a")
        await first.__aenter__()

        async def take() -> None:
            async with turns.turn("b"):
                raise AssertionError("it was cancelled before")

        second = asyncio.create_task(take())
        await settled()
        leaving = asyncio.create_task(first.__aexit__(None, None, None))
        await asyncio.sleep(0)  # the turn is granted, and `second` has not been told yet
        second.cancel()
        await asyncio.gather(leaving, second, return_exceptions=True)
        assert second.cancelled()
        async with asyncio.timeout(TIMEOUT), turns.turn("c"):
            assert turns.waiting == 0

    asyncio.run(scenario())


@given(st.integers(1, 4), st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=30))
def test_everybody_has_a_turn_and_never_too_many_at_once(limit: int, people: list[tuple[str, int]]) -> None:
    async def scenario() -> None:
        turns, going, most, done = Turns(limit), 0, 0, 0

        async def stay(group: str, rounds: int) -> None:
            nonlocal going, most, done
            async with turns.turn(group):
                going += 1
                most = max(most, going)
                for _ in range(rounds):
                    await asyncio.sleep(0)
                going -= 1
                done += 1

        await asyncio.gather(*(stay(group, rounds) for group, rounds in people))
        assert (done, going, turns.waiting) == (len(people), 0, 0)
        assert most <= limit

    asyncio.run(scenario())
