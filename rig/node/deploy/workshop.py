"""What a deployer works with: parts of the node, and what they say together of a release."""

from __future__ import annotations

import asyncio

import msgspec

from rig.kernel.apps import wanted_now
from rig.kernel.errors import RigError
from rig.node.builder.model import load_build
from rig.node.bundles.stores import Stores
from rig.node.deploy.ports import Record, Secrets
from rig.node.deploy.routing import Routing
from rig.node.deploy.steps import Job, instance_specs, job_of
from rig.node.paths import NodePaths
from rig.node.runtime.driver import Driver
from rig.node.supervisor.model import InstanceSpec
from rig.node.supervisor.supervisor import Supervisor
from rig.node.world import World


class Workshop(msgspec.Struct, frozen=True, kw_only=True):
    """Made once, when the node is put together."""

    world: World
    paths: NodePaths
    driver: Driver
    supervisor: Supervisor
    routing: Routing
    stores: Stores
    record: Record
    secrets: Secrets

    def job(self, app: str, version: int) -> Job:
        """What there is to do for a release. Raises `RigError` as :func:`rig.node.deploy.steps.job_of` does."""
        return job_of(self.paths, self.world.app(app), version, self.driver, self.secrets.reveal)

    async def serving(self, app: str) -> tuple[Job, list[InstanceSpec]] | None:
        """The release that serves and what should run of it now, if anything should.

        Raises `RigError` where its configuration cannot be understood, or its build is gone or does not fit any more.
        """
        state = self.world.app(app)
        if not state.current or not any(wanted_now(state).values()):
            return None
        job = self.job(app, state.current)
        build = await asyncio.to_thread(load_build, job.paths)
        if build is None:
            raise RigError("failed", f"The build of v{state.current} is no longer there.", "Deploy it again.")
        return job, instance_specs(job, build, self.driver, wanted_now(state))
