"""Routes are made from the world, and of many changes at once not one by one."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from events.app import AppCreated, AppDeleted
from rig.kernel.errors import RigError
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
        self.failing = 0
        """How many times it fails."""

    async def apply(self, routes: list[Route]) -> None:
        self.applied.append(routes)
        await self.go_on.wait()
        if self.failing:
            self.failing -= 1
            raise RigError("unavailable", "The edge does not answer.")


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


def world_of(*apps: str) -> World:
    world = World()
    world.apply([recorded(number, AppCreated(name=app), app) for number, app in enumerate(apps)])
    return world


def ports_of(routes: list[Route]) -> dict[str, tuple[int, ...]]:
    return {route.app: route.ports for route in routes}


def test_changes_that_wait_at_the_same_time_are_one() -> None:
    async def main() -> None:
        apps = [f"demo/app{number}" for number in range(9)]
        world, edge = world_of(*apps), SlowEdge()
        routing = Routing(cast(Any, edge), world)
        first = asyncio.create_task(routing.switch(apps[0], [1]))

        async def begun() -> bool:
            return bool(edge.applied)

        await until(begun, "the first one is on its way")
        others = [asyncio.create_task(routing.switch(app, [2])) for app in apps[1:5]]
        world.apply([recorded(100, AppDeleted(name=app), app) for app in apps[5:]])
        others += [asyncio.create_task(routing.remove(app)) for app in apps[5:]]
        edge.go_on.set()
        await asyncio.gather(first, *others)
        assert [ports_of(routes) for routes in edge.applied] == [
            {app: (1,) if app == apps[0] else () for app in apps},
            {app: (1,) if app == apps[0] else (2,) for app in apps[:5]},
        ]

    asyncio.run(main())


def test_a_change_that_fails_is_taken_back_and_the_others_are_tried_by_themselves() -> None:
    async def main() -> None:
        world, edge = world_of("demo/a", "demo/b", "demo/c"), SlowEdge()
        routing = Routing(cast(Any, edge), world)
        edge.go_on.set()
        edge.failing = 1
        changes = [routing.switch(app, [1]) for app in ("demo/a", "demo/b", "demo/c")]
        ends = await asyncio.gather(*changes, return_exceptions=True)
        assert [type(end) for end in ends] == [RigError, type(None), type(None)]
        assert ports_of(edge.applied[-1]) == {"demo/a": (), "demo/b": (1,), "demo/c": (1,)}

    asyncio.run(main())
