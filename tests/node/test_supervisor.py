"""The supervisor, with real processes: restarts, ends, and what the next node finds."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest

from rig.kernel.errors import RigError
from rig.node.logs.retention import prune
from rig.node.paths import NodePaths
from rig.node.runtime.driver import Handle, IsolationName, ProcessSpec
from rig.node.runtime.process import ProcessDriver
from rig.node.supervisor.model import InstanceInfo, InstanceSpec
from rig.node.supervisor.policy import Policy
from rig.node.supervisor.supervisor import Supervisor
from tests.node.runs import gone
from tests.node.supervised_node import web
from tests.support import until

QUICK = Policy(first_delay=0.01, longest_delay=0.02, crashes=4)


class Node:
    """A supervisor in this process, and what it has told."""

    def __init__(self, base: Path, driver: ProcessDriver, policy: Policy = QUICK) -> None:
        self.told: list[InstanceInfo] = []
        self.driver = driver
        self.base = base
        self.supervisor = Supervisor(
            driver, NodePaths(base), on_change=lambda _, info: self.told.append(info), policy=policy
        )

    def one(self) -> InstanceInfo:
        (info,) = self.supervisor.instances("demo/hello")
        return info

    def states(self) -> list[str]:
        return [info.state for info in self.told]

    async def answers(self, version: int = 1) -> None:
        """Wait until the one instance answers with this version."""

        async def answered() -> bool:
            infos = self.supervisor.instances("demo/hello")
            return bool(infos) and ask(infos[0].port) == str(version)

        await until(answered, f"version {version} answers")

    async def sees(self, condition: Callable[[InstanceInfo], bool], what: str) -> InstanceInfo:
        async def seen() -> bool:
            return any(condition(info) for info in self.supervisor.instances("demo/hello"))

        await until(seen, what)
        return next(info for info in self.supervisor.instances("demo/hello") if condition(info))


def up_again(info: InstanceInfo, restarts: int) -> bool:
    return info.restarts == restarts and info.state == "up"


def ask(port: int) -> str:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(100).decode()
    except OSError:
        return ""


@asynccontextmanager
async def node(base: Path, driver: ProcessDriver, desired: Iterable[InstanceSpec] = ()) -> AsyncIterator[Node]:
    """A node of which nothing is left afterwards, unless it was closed before."""
    made = Node(base, driver)
    unwanted = await made.supervisor.adopt(desired)
    try:
        await asyncio.gather(*(made.supervisor.end(instance) for instance in unwanted))
        yield made
    finally:
        await made.supervisor.stop_all()
        await made.supervisor.close()


@pytest.fixture(params=["none", pytest.param("bubblewrap", marks=pytest.mark.needs("bwrap"))])
def driver(request: pytest.FixtureRequest) -> ProcessDriver:
    isolation: IsolationName = request.param
    return ProcessDriver(isolation)


def test_an_instance_serves_on_its_port_and_is_ended_without_a_trace(driver: ProcessDriver, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with node(tmp_path, driver) as made:
            instance = await made.supervisor.launch(web(driver, tmp_path))
            assert instance.exited() is None
            await made.answers()
            assert made.one().state == "starting"
            made.supervisor.commit(instance)
            (info,) = made.supervisor.instances("demo/hello")
            assert (info.name, info.state, info.version, info.restarts) == ("web.1", "up", 1, 0)
            assert info.pid == instance.pids()[0]
            assert info.memory > 1 << 20
            assert info.reply().started_at.startswith("20")
            await made.supervisor.end(instance)
            assert made.supervisor.instances() == []
            assert ask(instance.port) == ""
            assert gone(info.pid)
            assert list(instance.folder.parent.iterdir()) == []
            assert made.states() == ["starting", "up", "stopping", "exited"]
            await made.supervisor.end(instance)

    asyncio.run(scenario())


def test_an_end_that_nobody_asked_for_is_followed_by_a_restart_on_the_same_port(
    driver: ProcessDriver, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with node(tmp_path, driver) as made:
            made.supervisor.commit(await made.supervisor.launch(web(driver, tmp_path)))
            await made.answers()
            before = made.one()
            os.kill(before.pid, signal.SIGKILL)
            info = await made.sees(lambda info: info.restarts == 1 and info.state == "up", "the restart")
            await made.answers()
            assert (info.port, info.exit) == (before.port, "SIGKILL")
            assert made.one().pid != before.pid
            assert "backoff" in made.states()

    asyncio.run(scenario())


def test_of_an_instance_that_keeps_ending_only_the_newest_logs_are_kept(
    driver: ProcessDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rig.node.supervisor.supervisor.prune", partial(prune, runs=2))

    async def scenario() -> None:
        async with node(tmp_path, driver) as made:
            instance = await made.supervisor.launch(web(driver, tmp_path))
            made.supervisor.commit(instance)
            for restarts in (1, 2, 3):
                await made.answers()
                os.kill(made.one().pid, signal.SIGKILL)
                await made.sees(partial(up_again, restarts=restarts), "the restart")

            async def bounded() -> bool:
                return len(list(instance.logs.iterdir())) == 2

            await until(bounded, "two logs are left of four")
            assert instance.log_dir.is_dir()

    asyncio.run(scenario())


def test_a_shim_that_is_killed_is_a_crash_like_any_other(driver: ProcessDriver, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with node(tmp_path, driver) as made:
            instance = await made.supervisor.launch(web(driver, tmp_path))
            made.supervisor.commit(instance)
            await made.answers()
            before = made.one()
            handle = driver.adopt(instance.folder / instance.record.run)
            assert handle is not None
            os.kill(handle.pid, signal.SIGKILL)
            info = await made.sees(lambda info: info.restarts == 1 and info.state == "up", "the restart")
            assert info.exit == "lost"
            assert gone(before.pid)
            await made.answers()

    asyncio.run(scenario())


def test_a_crash_loop_is_given_up_with_its_reason(driver: ProcessDriver, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with node(tmp_path, driver) as made:
            spec = msgspec.structs.replace(web(driver, tmp_path), argv=("/bin/sh", "-c", "exit 3"))
            await made.supervisor.set_desired("demo/hello", [spec])
            info = await made.sees(lambda info: info.state == "crashed", "the crash loop's end")
            assert info.reason.startswith("it ended with exit 3")
            assert info.restarts == 3
            assert made.told[-1].state == "crashed"
            await made.supervisor.set_desired("demo/hello", [web(driver, tmp_path)])
            await made.answers()

    asyncio.run(scenario())


def test_before_it_is_committed_it_is_not_restarted(driver: ProcessDriver, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with node(tmp_path, driver) as made:
            spec = msgspec.structs.replace(web(driver, tmp_path), argv=("/bin/sh", "-c", "echo no; exit 4"))
            instance = await made.supervisor.launch(spec)
            info = await made.sees(lambda info: info.state == "exited", "its end")
            assert (info.exit, info.restarts) == ("exit 4", 0)
            assert str(instance.exited()) == "exit 4"
            made.supervisor.commit(instance)
            await made.sees(lambda info: info.restarts > 0, "a restart, now that it is to stay")

    asyncio.run(scenario())


def test_what_cannot_be_started_is_an_error_of_launch_and_leaves_nothing(
    driver: ProcessDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(spec: ProcessSpec) -> Handle:
        raise RigError("failed", "the drive is gone")

    async def scenario() -> None:
        async with node(tmp_path, driver) as made:
            with pytest.raises(RigError, match="the drive is gone"):
                await made.supervisor.launch(web(driver, tmp_path))
            assert made.supervisor.instances() == []
            assert not list(tmp_path.glob("networks/*/apps/*/run/*"))

    monkeypatch.setattr(driver, "start", refuse)
    asyncio.run(scenario())


def test_scaling_starts_and_ends_only_what_differs(driver: ProcessDriver, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with node(tmp_path, driver) as made:
            specs = [web(driver, tmp_path, index=index) for index in (1, 2, 3)]
            await made.supervisor.set_desired("demo/hello", specs[:2])
            await made.sees(lambda info: info.name == "web.2" and info.state == "up", "two")
            await made.sees(lambda info: info.name == "web.1" and info.state == "up", "two")
            first, second = made.supervisor.instances("demo/hello")
            assert first.port != second.port
            await made.supervisor.set_desired("demo/hello", specs)
            await made.sees(lambda info: info.name == "web.3" and info.state == "up", "three")
            await made.supervisor.set_desired("demo/hello", specs[:1])
            assert [info.id for info in made.supervisor.instances("demo/hello")] == [first.id]
            assert made.one().pid == first.pid
            await made.supervisor.set_desired("demo/hello", [])
            assert made.supervisor.instances() == []
            assert gone(first.pid)

    asyncio.run(scenario())


def killed_node(base: Path, driver: ProcessDriver, *versions: str) -> None:
    """Start a node with these versions, and kill it."""
    script = Path(__file__).with_name("supervised_node.py")
    argv = [sys.executable, str(script), str(base), driver.isolation, *versions]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.getcwd()}) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
        one.kill()


def test_the_next_node_takes_over_what_runs(driver: ProcessDriver, tmp_path: Path) -> None:
    killed_node(tmp_path, driver, "1")

    async def scenario() -> None:
        async with node(tmp_path, driver, [web(driver, tmp_path)]) as made:
            await made.answers()
            info = made.one()
            assert (info.state, info.restarts) == ("up", 0)
            os.kill(info.pid, signal.SIGKILL)
            again = await made.sees(lambda info: info.restarts == 1 and info.state == "up", "the restart")
            assert again.port == info.port

    asyncio.run(scenario())


def test_the_next_node_ends_what_is_not_wanted_and_starts_what_is_missing(
    driver: ProcessDriver, tmp_path: Path
) -> None:
    killed_node(tmp_path, driver, "1", "99")

    async def scenario() -> None:
        pids = running(tmp_path, driver)
        assert len(pids) == 2
        async with node(tmp_path, driver, [web(driver, tmp_path, version=2)]) as made:
            await made.answers(2)
            assert all(gone(pid) for pid in pids)
            assert made.one().version == 2

    asyncio.run(scenario())


def test_what_died_while_no_node_was_there_is_started_again(driver: ProcessDriver, tmp_path: Path) -> None:
    killed_node(tmp_path, driver, "1")
    for pid in running(tmp_path, driver):
        os.kill(pid, signal.SIGKILL)

    async def scenario() -> None:
        async with node(tmp_path, driver, [web(driver, tmp_path)]) as made:
            info = await made.sees(lambda info: info.restarts == 1 and info.state == "up", "the restart")
            assert info.exit == "SIGKILL"
            await made.answers()

    asyncio.run(scenario())


def test_an_instance_that_was_not_described_is_ended(driver: ProcessDriver, tmp_path: Path) -> None:
    killed_node(tmp_path, driver, "1")
    pids = running(tmp_path, driver)
    for path in tmp_path.rglob("instance.json"):
        path.write_text("{")

    async def scenario() -> None:
        async with node(tmp_path, driver) as made:
            assert made.supervisor.instances() == []
            assert all(gone(pid) for pid in pids)
            assert not list(tmp_path.glob("networks/*/apps/*/run/*"))

    asyncio.run(scenario())


def test_two_nodes_cannot_have_the_same_instances(driver: ProcessDriver, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with node(tmp_path, driver):
            with pytest.raises(RigError) as caught:
                await Supervisor(driver, NodePaths(tmp_path)).adopt()
            assert caught.value.code == "locked"

    asyncio.run(scenario())


def test_a_node_that_lets_go_leaves_everything_running(driver: ProcessDriver, tmp_path: Path) -> None:
    async def scenario() -> None:
        first = Node(tmp_path, driver)
        await first.supervisor.adopt()
        first.supervisor.commit(await first.supervisor.launch(web(driver, tmp_path)))
        await first.answers()
        before = first.one()
        await first.supervisor.close()
        assert ask(before.port) == "1"
        async with node(tmp_path, driver, [web(driver, tmp_path)]) as second:
            assert second.one().pid == before.pid
            assert second.one().started_at == before.started_at

    asyncio.run(scenario())


def test_a_listener_that_fails_does_no_harm(driver: ProcessDriver, tmp_path: Path) -> None:
    def fail(app: str, info: InstanceInfo) -> None:
        raise ValueError(app, info)

    async def scenario() -> None:
        supervisor = Supervisor(driver, NodePaths(tmp_path), on_change=fail)
        await supervisor.adopt()
        instance = await supervisor.launch(web(driver, tmp_path))
        supervisor.commit(instance)
        assert supervisor.instances()[0].state == "up"
        await supervisor.end(instance)
        await supervisor.close()

    asyncio.run(scenario())


def running(base: Path, driver: ProcessDriver) -> list[int]:
    """The pids of all programs below ``base``."""
    found = []
    for path in base.rglob("spec.json"):
        handle = driver.adopt(path.parent)
        assert handle is not None
        found += driver.pids(handle)
    return found
