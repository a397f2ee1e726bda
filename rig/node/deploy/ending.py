"""The end of instances that get no new requests any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from rig.kernel.failpoints import failpoint
from rig.node.deploy.routing import Routing, ports_of
from rig.node.supervisor.instance import Instance
from rig.node.supervisor.supervisor import Supervisor

log = logging.getLogger("rig.node.deploy")


class Ending:
    """Lets instances finish what they have begun, and ends them."""

    def __init__(
        self,
        supervisor: Supervisor,
        routing: Routing,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None] | None],
    ) -> None:
        """``spawn`` does work in the background, unless the node is about to end."""
        self._supervisor = supervisor
        self._routing = routing
        self._spawn = spawn

    def retire(self, instances: list[Instance], seconds: int) -> asyncio.Task[None] | None:
        """Let go of instances that get no new requests. What comes next need not wait for the last of the old ones;
        who does waits for the task."""
        for instance in instances:
            self._supervisor.retire(instance)
        return self._spawn(self.drain(instances, seconds))

    async def drain(self, instances: list[Instance], seconds: int) -> None:
        """Let requests in flight end, at most so long, then end the instances."""
        ports = ports_of(instances)
        try:
            if ports and seconds:
                await self._routing.drained(ports, seconds)
        except Exception:  # whatever it is: they end all the same
            log.exception("requests in flight cannot be counted; %s ends at once", instances[0].app)
        failpoint("release.drained")
        await self.end(instances)

    async def end(self, instances: Sequence[Instance]) -> None:
        """End instances, each whatever becomes of the others."""
        ends = await asyncio.gather(*map(self._supervisor.end, instances), return_exceptions=True)
        for instance, raised in zip(instances, ends, strict=True):
            if raised is not None:
                log.error("%s %s could not be ended", instance.app, instance.name, exc_info=raised)
