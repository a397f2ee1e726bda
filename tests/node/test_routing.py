"""Routes are made from the world, and of many changes at once not one by one."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from events.app import AppCreated
from rig.node.deploy.routing import Routing
from rig.node.edge.config import EdgeOptions
from rig.node.edge.slots import Route
from rig.node.world import World
from tests.node.test_world import recorded
from tests.support import until


class SlowEdge:
    """An edge that takes up routes when it is told to."""

    options = EdgeOptions()

    def __init__(self) -> None:
        self.applied: list[list[Route]] = []
        self.go_on = asyncio.Event()

    async def apply(self, routes: list[Route]) -> None:
        self.applied.append(routes)
        await self.go_on.wait()


def test_of_many_apps_that_are_made_at_once_not_each_is_applied() -> None:
    async def main() -> None:
        world, edge = World(), SlowEdge()
        routing = Routing(cast(Any, edge), world)
        waiting = []

        async def begun() -> bool:
            return bool(edge.applied)

        for number in range(50):
            name = f"demo/app{number:02}"
            world.apply([recorded(number, AppCreated(name=name), name)])
            waiting.append(asyncio.create_task(routing.refresh()))
            if not number:
                await until(begun, "the first one is on its way")
        edge.go_on.set()
        await asyncio.gather(*waiting)
        assert [len(routes) for routes in edge.applied] == [1, 50]
        # Nobody is at it any more, so what comes next is done.
        await routing.refresh()
        assert len(edge.applied) == 3

    asyncio.run(main())
