"""Whether the instances of a new release are ready, all of them; and what the first that is not has printed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rig.contract.project import HealthConfig
from rig.kernel.errors import RigError
from rig.node.health import wait_alive, wait_ready
from rig.node.logs.reader import LogReader
from rig.node.supervisor.instance import Instance

STEADY_SECONDS = 2.0
"""How long a process that serves nothing has to run to count as healthy."""
OUTPUT_LINES = 20
"""How many of the last lines of a process explain why it failed."""
OUTPUT_WIDTH = 1000
"""Characters of such a line that are shown. A line may have 64 KiB, and a record of the journal takes 1 MiB in all."""


async def check(instances: Sequence[Instance], config: HealthConfig, hostname: str) -> None:
    """Wait until every instance is ready. Raises `RigError` with its last output for the first that is not."""
    waiting = {asyncio.create_task(_check_one(instance, config, hostname)) for instance in instances}
    try:
        for done in asyncio.as_completed(waiting):
            await done
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _check_one(instance: Instance, config: HealthConfig, hostname: str) -> None:
    try:
        if instance.port:
            await wait_ready(instance.port, config, pids=instance.pids, exited=instance.exited, hostname=hostname)
        else:
            await wait_alive(instance.exited, STEADY_SECONDS)
    except RigError as error:
        error.details.setdefault("output", await asyncio.to_thread(_last_lines, instance))
        error.details.setdefault("instance", instance.name)
        raise


def _last_lines(instance: Instance) -> list[str]:
    lines = [line.text for line in LogReader(instance.log_dir).tail(OUTPUT_LINES)]
    return [line if len(line) <= OUTPUT_WIDTH else line[: OUTPUT_WIDTH - 1] + "…" for line in lines]
