"""Replacing the instances of an app by new ones of the same release, without a gap."""

from __future__ import annotations

from rig.kernel.failpoints import failpoint
from rig.node.deploy.check import check
from rig.node.deploy.routing import Routing, ports_of
from rig.node.deploy.steps import Job
from rig.node.supervisor.instance import Instance
from rig.node.supervisor.model import InstanceSpec
from rig.node.supervisor.supervisor import Supervisor


async def restart(job: Job, specs: list[InstanceSpec], supervisor: Supervisor, routing: Routing) -> None:
    """Start new instances, wait until they are healthy, and send the requests to them; all of it, or none.

    What served before is for the caller to let go of. Raises whatever went wrong; nothing is left of the new ones then.
    """
    launched: list[Instance] = []
    try:
        for spec in specs:
            launched.append(await supervisor.launch(spec))
        await check(launched, job.config.health, routing.hostname(job.app), job.mask)
        await routing.switch(job.app, ports_of(launched))
        failpoint("restart.switched")
    except Exception:
        for instance in launched:
            await supervisor.end(instance)
        raise
    for instance in launched:
        supervisor.commit(instance)
