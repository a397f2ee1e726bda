"""A node that ends in the middle of a release, and the next one."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from events.app import AppScaled, DeployStarted, DeploySucceeded
from events.network import NetworkCreated, NetworkDeleted
from rig.contract.project import AppConfig, DeployConfig
from rig.kernel.errors import RigError
from rig.node.edge.slots import Route
from rig.node.runtime.driver import ExitStatus, Handle
from tests.node.deploying import APP, OTHER, Deploying, HandMadeEdge, Runs, deploying
from tests.support import until

pytestmark = pytest.mark.usefixtures("quick_retries")

MIGRATES = AppConfig(deploy=DeployConfig(release="migrate", drain=0))


class Machine:
    """What outlives a node: its folder, the runs and the edge."""

    def __init__(self, base: Path) -> None:
        self.base, self.runs, self.edge = base, Runs(), HandMadeEdge()

    async def first(self) -> Deploying:
        """A node with version 1 of one app. Its end is left to the test."""
        node = Deploying(self.base, self.runs, self.edge)
        await node.start()
        await node.found()
        await node.deploy(config=MIGRATES)
        return node

    def next(self) -> AbstractAsyncContextManager[Deploying]:
        return deploying(self.base, self.runs, self.edge)


async def at(node: Deploying, phase: str) -> None:
    async def there() -> bool:
        return node.deployer.phase(APP) == phase

    await until(there, phase)


def test_a_release_that_was_cut_off_is_made_by_the_next_node(tmp_path: Path) -> None:
    async def scenario() -> None:
        machine = Machine(tmp_path)
        node = await machine.first()
        before = node.ports
        machine.runs.answers = b""  # it does not get healthy
        await node.begin(OTHER, MIGRATES)
        await at(node, "checking")
        await node.close()
        assert node.ports == before
        machine.runs.answers = Runs().answers
        async with machine.next() as again:
            await again.over(2)
            assert again.app.current == 2
            await again.runs_as(("web.1", 2))
            # Each step may be done twice, and whoever began it is still the one who did it.
            assert machine.runs.commands == ["migrate"] * 3
            records = again.stored.stream(f"app:{APP}")
            begun = next(record for record in records if record.fact == again.app.releases[2].started)
            done = records[-1]
            assert isinstance(done.fact, DeploySucceeded)
            assert (done.actor, done.corr, done.caus) == ("user:ana", begun.corr, begun.id)

    asyncio.run(scenario())


def test_what_a_cut_off_switch_started_ends_after_the_edge_has_left_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        machine = Machine(tmp_path)
        node = await machine.first()
        (serving,) = node.ports
        node.record.refused = {DeploySucceeded}
        begun = asyncio.Event()
        apply = machine.edge.apply
        sent: list[tuple[int, ...]] = []

        async def watch(routes: list[Route]) -> None:
            await apply(routes)
            sent.append(node.ports)
            if node.ports != (serving,):
                begun.set()
                await asyncio.Event().wait()  # the node is killed in this very moment

        machine.edge.apply = watch  # type: ignore[method-assign, assignment]
        await node.begin(OTHER)
        await begun.wait()
        await node.close()
        ended_at: list[tuple[int, ...]] = []
        stop = machine.runs.stop

        async def stopping(handle: Handle) -> ExitStatus:
            ended_at.append(next(route.ports for route in machine.edge.routes))
            return await stop(handle)

        machine.edge.apply = apply  # type: ignore[method-assign]
        machine.runs.stop = stopping  # type: ignore[method-assign]
        async with machine.next() as again:
            assert ended_at[0] == (serving,)
            await again.over(2)

    asyncio.run(scenario())


def test_what_drained_when_the_node_ended_drains_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        machine = Machine(tmp_path)
        node = await machine.first()
        machine.edge.idle.clear()
        slow = AppConfig(deploy=DeployConfig(drain=3600))
        await node.deploy(OTHER, slow)
        assert node.running() == [("web.1", 1), ("web.1", 2)]
        await node.close()
        async with machine.next() as again:
            assert again.running() == [("web.1", 1), ("web.1", 2)]
            machine.edge.idle.set()
            await again.runs_as(("web.1", 2))

    asyncio.run(scenario())


def test_what_is_asked_of_a_node_that_ends_is_done_by_the_next_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        machine = Machine(tmp_path)
        node = await machine.first()
        await node.deployer.close()
        await node.begin(OTHER)
        await node.say(AppScaled(name=APP, scale={"web": 2}))
        assert node.app.pending == 2
        await node.close()
        async with machine.next() as again:
            await again.over(2)
            await again.runs_as(("web.1", 2), ("web.2", 2))

    asyncio.run(scenario())


def test_an_app_whose_configuration_is_not_understood_does_not_keep_the_node_from_starting(tmp_path: Path) -> None:
    async def scenario() -> None:
        machine = Machine(tmp_path)
        node = await machine.first()
        await node.deployer.close()
        begun = DeployStarted(app=APP, version=2, bundle=OTHER, config={"build": {"quantum": True}})
        await node.say(begun, DeploySucceeded(app=APP, version=2))
        await node.close()
        async with machine.next() as again:
            assert again.app.current == 2
            await again.runs_as()
            assert await again.deploy() == 3
            assert again.running() == [("web.1", 3)]

    asyncio.run(scenario())


def test_a_node_tries_anew_what_the_one_before_had_given_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        machine = Machine(tmp_path)
        node = await machine.first()

        async def given_up() -> bool:
            (instance,) = node.supervisor.committed(APP)
            handle = machine.runs.adopt(instance.folder / instance.record.run)
            if handle is not None and machine.runs.alive(handle):
                machine.runs.crash(handle, ExitStatus(code=1))
            return bool(node.app.crashed)

        await until(given_up, "the crash")
        await node.close()
        async with machine.next() as again:
            assert again.app.crashed == {}
            (route,) = again.edge.routes
            assert len(route.ports) == 1

    asyncio.run(scenario())


def test_what_a_killed_node_left_of_deleted_apps_and_networks_is_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        machine = Machine(tmp_path)
        node = await machine.first()
        await node.supervisor.stop_all()
        diary = node.paths.app("demo/gone") / "home" / "diary"
        diary.parent.mkdir(parents=True)
        diary.write_text("of an app that was deleted")
        for network in ("demo", "gone", "new"):
            node.stores(network)
        await node.say(NetworkCreated(name="gone"), NetworkDeleted(name="gone"), stream="network:gone")
        await node.close()
        async with machine.next() as again:
            assert not diary.exists()
            assert again.paths.app("demo/hello").is_dir()
            assert again.paths.store("demo").is_dir()
            assert not again.paths.store("gone").exists()
            # Sources that were sent ahead of a network, which its first deployment makes.
            assert again.paths.store("new").is_dir()

            async def freed() -> bool:
                return not list(again.paths.removed.iterdir())

            await until(freed, "the disk is freed")

    asyncio.run(scenario())


def test_the_sources_of_a_deleted_network_are_gone_before_its_name_is_free(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with deploying(tmp_path) as node:
            first = node.stores("shop")
            mark = first.root / "mark"
            mark.touch()
            node.stores.remove("shop")
            assert not mark.exists()
            second = node.stores("shop")
            assert second is not first
            with pytest.raises(RigError, match="no bundle"):
                second.bundle("a" * 64)
            await node.say(NetworkDeleted(name="shop"), stream="network:shop")

            async def cleared() -> bool:
                return not list(node.paths.removed.iterdir())

            await until(cleared, "the disk is freed")
            assert second.root.is_dir()

    asyncio.run(scenario())
