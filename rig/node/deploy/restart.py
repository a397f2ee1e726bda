"""Replacing the instances of an app by new ones of the same release, without a gap."""

from __future__ import annotations

import logging

from events.app import AppRestarted, AppRestartFailed
from events.base import Fact
from rig.contract.project import HealthConfig
from rig.kernel.errors import RigError
from rig.node.deploy.check import check
from rig.node.deploy.routing import Routing
from rig.node.supervisor.instance import Instance
from rig.node.supervisor.model import InstanceSpec
from rig.node.supervisor.supervisor import Supervisor

log = logging.getLogger("rig.node.deploy")


async def restart(
    app: str, specs: list[InstanceSpec], health: HealthConfig, supervisor: Supervisor, routing: Routing
) -> Fact:
    """Start new instances, wait until they are healthy, and send the requests to them; all of it, or none.

    Gives what is to be on the record. What served before is for the caller to let go of where it went well.
    """
    launched: list[Instance] = []
    try:
        for spec in specs:
            launched.append(await supervisor.launch(spec))
        await check(launched, health, routing.hostname(app))
        await routing.switch(app, [instance.port for instance in launched if instance.port])
    except Exception as raised:
        for instance in launched:
            await supervisor.end(instance)
        return _failure(app, raised)
    for instance in launched:
        supervisor.commit(instance)
    return AppRestarted(name=app)


def _failure(app: str, raised: Exception) -> AppRestartFailed:
    if not isinstance(raised, RigError):
        log.error("restarting %s", app, exc_info=raised)
        raised = RigError("internal", f"The node failed in a way it should not: {type(raised).__name__}.")
    return AppRestartFailed(name=app, code=raised.code, reason=raised.message)
