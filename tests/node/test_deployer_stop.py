"""Apps that are stopped, started and restarted: what runs, what the edge serves, what is on the record."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from events.app import AppRestartRequested, AppScaled, AppStarted, AppStopped
from rig.node.supervisor.instance import Instance
from tests.node.deploying import APP, OTHER, Deploying, deploying, on_a_node
from tests.support import until


async def recorded(node: Deploying, kind: str) -> None:
    async def so() -> bool:
        return node.facts()[-1] == kind

    await until(so, f"{kind} is on the record")


async def restarted(node: Deploying) -> None:
    """A record is on the disk a moment before the world knows of it."""

    async def so() -> bool:
        return not node.app.restarting

    await until(so, "the restart is over")


def test_a_stopped_app_keeps_its_scale(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.say(AppScaled(name=APP, scale={"web": 2}))
        await node.serves(2)
        await node.say(AppStopped(name=APP))
        await node.runs_as()
        (route,) = node.edge.routes
        assert (route.ports, route.idle) == ((), "stopped")
        await node.say(AppScaled(name=APP, scale={"web": 3}), AppStarted(name=APP))
        await node.runs_as(("web.1", 1), ("web.2", 1), ("web.3", 1))
        await node.serves(3)

    on_a_node(tmp_path, scenario, live=True)


def test_what_is_stopped_stays_so_when_the_node_comes_back(tmp_path: Path) -> None:
    async def play() -> None:
        async with deploying(tmp_path) as node:
            await node.found()
            await node.deploy()
            await node.say(AppStopped(name=APP))
            await node.runs_as()
        async with deploying(tmp_path) as node:
            assert node.running() == []
            await node.say(AppStarted(name=APP))
            await node.runs_as(("web.1", 1))

    asyncio.run(play())


def test_a_deployment_starts_what_was_stopped(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.say(AppStopped(name=APP))
        await node.runs_as()
        await node.deploy(OTHER)
        assert not node.app.stopped
        await node.runs_as(("web.1", 2))
        await node.serves(1)

    on_a_node(tmp_path, scenario, live=True)


def test_a_restart_leaves_no_gap(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        (before,) = node.ports
        node.edge.idle.clear()
        await node.say(AppRestartRequested(name=APP))
        await recorded(node, "app.restarted")
        await restarted(node)
        (after,) = node.ports
        assert after != before
        assert node.running() == [("web.1", 1), ("web.1", 1)], "what has requests in flight ends after them"
        node.edge.idle.set()
        await node.runs_as(("web.1", 1))
        assert node.ports == (after,)

    on_a_node(tmp_path, scenario, live=True)


def test_a_restart_that_does_not_get_healthy_leaves_the_old_instances_serving(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        before = node.ports
        node.runs.answers = b"HTTP/1.1 500 Never\r\nContent-Length: 0\r\n\r\n"
        await node.say(AppRestartRequested(name=APP))
        await node.is_not_waited_for()
        await recorded(node, "app.restart_failed")
        await restarted(node)
        await node.runs_as(("web.1", 1))
        assert node.ports == before

    on_a_node(tmp_path, scenario, live=True)


def test_a_restart_that_cannot_be_kept_leaves_the_old_instances_serving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edge has switched already when the disk takes nothing more."""

    async def scenario(node: Deploying) -> None:
        before = node.ports

        def full(instance: Instance) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(node.supervisor, "commit", full)
        await node.say(AppRestartRequested(name=APP))
        await recorded(node, "app.restart_failed")
        await node.runs_as(("web.1", 1))
        assert node.ports == before
        (left,) = node.supervisor.committed(APP)
        assert (left.port,) == before

    on_a_node(tmp_path, scenario, live=True)


def test_where_nothing_runs_a_restart_is_over_at_once(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.say(AppScaled(name=APP, scale={"web": 0}))
        await node.runs_as()
        await node.say(AppRestartRequested(name=APP))
        await recorded(node, "app.restarted")
        await restarted(node)

    on_a_node(tmp_path, scenario, live=True)


def test_a_restart_that_cannot_even_begin_is_on_the_record_and_may_be_tried_again(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        node.forget_build(1)
        await node.say(AppRestartRequested(name=APP))
        await recorded(node, "app.restart_failed")
        await restarted(node)
        await node.runs_as(("web.1", 1))

        async def is_told() -> bool:
            return node.deployer.problem(APP) is not None

        await until(is_told, "why it was not restarted")
        problem = node.deployer.problem(APP)
        assert problem is not None
        assert "The build of v1 is no longer there" in problem.message

    on_a_node(tmp_path, scenario, live=True)


def test_a_restart_that_was_cut_off_is_made_by_the_next_node(tmp_path: Path) -> None:
    async def play() -> None:
        async with deploying(tmp_path) as node:
            await node.found()
            await node.deploy()
            await node.deployer.close()
            await node.say(AppRestartRequested(name=APP))
            assert node.app.restarting
        async with deploying(tmp_path) as node:
            await recorded(node, "app.restarted")
            await node.runs_as(("web.1", 1))

    asyncio.run(play())
