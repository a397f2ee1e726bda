"""Which instances answer for which app: the edge's routes, made from the world."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from rig.contract.names import split_app
from rig.kernel.apps import app_status
from rig.node.edge.caddy import Edge
from rig.node.edge.slots import Idle, Route
from rig.node.supervisor.instance import Instance
from rig.node.supervisor.supervisor import Supervisor
from rig.node.world import World

REST, LONGEST_REST = 4.0, 2.0
"""A refresh waits for so many times as long as the one before took, and at most for so many seconds."""


class Routing:
    """The routes of all apps. A change is in force when its call returns; where it raises, the old ones are."""

    def __init__(self, edge: Edge, world: World, api: Route | None = None) -> None:
        """``api`` is the route of the node's own API, on a node that can be reached from outside."""
        self._edge = edge
        self._world = world
        self._api = api
        self._ports: dict[str, tuple[int, ...]] = {}
        self._lock = asyncio.Lock()
        self._asked, self._applied = 0, 0
        """How many changes were asked for, and up to which of them they are in force."""
        self._refreshing = False
        self._rest = 0.0
        """Seconds for which the next refresh waits."""

    def hostname(self, app: str) -> str:
        """``hello.demo.localhost`` of ``demo/hello``."""
        network, name = split_app(app)
        return f"{name}.{self.network_domain(network)}"

    def network_domain(self, network: str) -> str:
        """``demo.localhost``."""
        return f"{network}.{self._edge.options.domain}"

    def url(self, app: str) -> str:
        """Where a browser finds the app."""
        return self._edge.url(self.hostname(app))

    async def apply(self, supervisor: Supervisor) -> None:
        """Route every app to the instances that are to stay."""
        self._ports = {
            app: tuple(instance.port for instance in supervisor.committed(app) if instance.port)
            for app in self._world.existing_apps()
        }
        async with self._lock:
            await self._edge.apply(self._routes())

    async def switch(self, app: str, ports: list[int]) -> None:
        """Send an app's new requests to these instances, and to no others."""
        before = self._ports.get(app, ())
        self._ports[app] = tuple(ports)
        try:
            await self._apply()
        except BaseException:
            self._ports[app] = before
            raise

    @asynccontextmanager
    async def switched(self, app: str, ports: list[int]) -> AsyncIterator[None]:
        """Send an app's new requests to these instances; where the block raises, back to those that had them."""
        before = list(self._ports.get(app, ()))
        await self.switch(app, ports)
        try:
            yield
        except Exception:
            await self.switch(app, before)
            raise

    async def remove(self, app: str) -> None:
        """Serve an app no more."""
        self._ports.pop(app, None)
        await self._apply()

    async def refresh(self) -> None:
        """Show what became of apps that have no instance: a page for one that was made, or that crashes.

        Of many that ask at once one does it for all; the others return before it is done.
        """
        if self._refreshing:
            return
        self._refreshing = True
        try:
            # What takes long with many apps is done seldom: it never has more than a part of the node's time.
            await asyncio.sleep(self._rest)
        finally:
            self._refreshing = False
        began = time.monotonic()
        await self._apply()
        self._rest = min(REST * (time.monotonic() - began), LONGEST_REST)

    async def _apply(self) -> None:
        """Bring what is wanted now into force. Changes that wait for their turn at the same time are one."""
        self._asked += 1
        mine = self._asked
        async with self._lock:
            if self._applied >= mine:
                return
            covered = self._asked
            await self._edge.apply(self._routes())
            self._applied = covered

    async def drained(self, ports: list[int], seconds: float) -> bool:
        """Wait until the edge has no request with these instances, at most so long; whether it came to that."""
        return await self._edge.drained(ports, seconds)

    def _routes(self) -> list[Route]:
        routes = [self._api] if self._api else []
        for app in self._world.existing_apps():
            state = self._world.app(app)
            status = app_status(state)
            idle: Idle = "stopped" if status == "stopped" else "crashed" if state.current else "empty"
            ports = () if status == "crashed" else self._ports.get(app, ())
            routes.append(Route(hostname=self.hostname(app), app=app, ports=ports, idle=idle))
        return routes


def ports_of(instances: Sequence[Instance]) -> list[int]:
    """The ports on which the web processes among them listen."""
    return [instance.port for instance in instances if instance.port]
