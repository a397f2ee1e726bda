"""Which instances of an app run: how many, with which limits, and how those end that are replaced."""

from __future__ import annotations

from pathlib import Path

from events.app import AppDeleted, AppScaled
from events.config import Supplied
from rig.contract.project import AppConfig, DeployConfig, HealthConfig, ProcessConfig
from rig.node.runtime.driver import ExitStatus
from tests.node.deploying import APP, OTHER, Deploying, on_a_node, patient
from tests.support import until


def test_the_old_instances_end_when_their_last_request_has(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        (before,) = node.ports
        node.edge.idle.clear()
        await node.deploy(OTHER)
        assert node.ports != (before,)
        assert node.running() == [("web.1", 1), ("web.1", 2)]
        node.edge.idle.set()
        await node.runs_as(("web.1", 2))
        assert node.facts()[-3:] == ["deploy.started", "deploy.built", "deploy.succeeded"]

    on_a_node(tmp_path, scenario)


def test_scaling_does_not_cut_what_drains(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        node.edge.idle.clear()
        await node.deploy(OTHER)
        await node.say(AppScaled(name=APP, scale={"web": 2}))
        await node.runs_as(("web.1", 1), ("web.1", 2), ("web.2", 2))
        await node.serves(2)
        await node.say(AppScaled(name=APP, scale={"web": 1}))
        await node.serves(1)
        assert node.running() == [("web.1", 1), ("web.1", 2), ("web.2", 2)]
        node.edge.idle.set()
        await node.runs_as(("web.1", 2))

    on_a_node(tmp_path, scenario)


def test_to_tell_how_many_instances_are_doing_processes_are_looked_at_once(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        await node.say(AppScaled(name=APP, scale={"web": 3}))
        await node.runs_as(("web.1", 1), ("web.2", 1), ("web.3", 1))
        looked = node.runs.looks
        assert [info.name for info in node.deployer.instances(APP)] == ["web.1", "web.2", "web.3"]
        assert node.runs.looks == looked + 1
        assert node.deployer.instances("demo/other") == []
        assert node.runs.looks == looked + 1

    on_a_node(tmp_path, scenario)


def test_more_instances_get_requests_when_they_are_ready(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy(config=AppConfig(health=HealthConfig(timeout=60)))
        (serving,) = node.ports
        answers, node.runs.answers = node.runs.answers, b"HTTP/1.1 500 Not yet\r\nContent-Length: 0\r\n\r\n"
        asked = node.runs.asked
        await node.say(AppScaled(name=APP, scale={"web": 2}))

        async def asked_again() -> bool:
            return node.runs.asked > asked + 1

        await until(asked_again, "web.2 is asked until it is ready")
        assert node.running() == [("web.1", 1), ("web.2", 1)]
        assert node.ports == (serving,)
        node.runs.answers = answers
        await node.serves(2)

    on_a_node(tmp_path, scenario)


def test_more_instances_that_do_not_get_ready_are_not_waited_for_for_ever(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        node.runs.answers = b"HTTP/1.1 500 Never\r\nContent-Length: 0\r\n\r\n"
        await node.say(AppScaled(name=APP, scale={"web": 2}))
        await node.is_not_waited_for()
        await node.serves(2)

    on_a_node(tmp_path, scenario)


def test_scaled_to_nothing_the_edge_says_stopped(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        await node.say(AppScaled(name=APP, scale={"web": 0}))
        await node.runs_as()
        (route,) = node.edge.routes
        assert (route.ports, route.idle) == ((), "stopped")

    on_a_node(tmp_path, scenario)


def test_what_drains_is_not_started_again_when_it_ends_by_itself(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        (old,) = node.supervisor.committed(APP)
        node.edge.idle.clear()
        await node.deploy(OTHER)
        handle = node.runs.adopt(old.folder / old.record.run)
        assert handle is not None

        async def is_retired() -> bool:
            return old.retired

        await until(is_retired, "that it is let go of")
        node.runs.crash(handle, ExitStatus(code=1))

        async def is_over() -> bool:
            return old.info().state == "exited"

        await until(is_over, "its end")
        assert old.info().restarts == 0

    on_a_node(tmp_path, scenario)


def test_a_process_is_started_with_the_limit_of_its_release(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy(config=patient(processes={"web": ProcessConfig(memory=5 << 20)}))
        await node.deploy(OTHER, supplied=Supplied(memory={"*": 7 << 20}))
        await node.deploy(
            OTHER, patient(processes={"web": ProcessConfig(memory=5 << 20)}), supplied=Supplied(memory={"web": 0})
        )
        assert node.runs.limits == [5 << 20, 7 << 20, 0]

    on_a_node(tmp_path, scenario)


def test_instances_end_even_where_requests_cannot_be_counted(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        node.edge.blind = True
        await node.deploy(OTHER)
        await node.runs_as(("web.1", 2))

    on_a_node(tmp_path, scenario)


def test_deleting_an_app_ends_what_drains_too(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        node.edge.idle.clear()
        await node.deploy(OTHER)
        assert node.running() == [("web.1", 1), ("web.1", 2)]
        await node.say(AppDeleted(name=APP))
        await node.runs_as()
        assert node.edge.routes == []

    on_a_node(tmp_path, scenario)


def test_what_is_scaled_during_a_deployment_holds_for_both_versions(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        answers, node.runs.answers = node.runs.answers, b""
        version = await node.begin(OTHER, AppConfig(deploy=DeployConfig(drain=0)))

        async def checking() -> bool:
            return node.deployer.phase(APP) == "checking"

        await until(checking, "the check")
        await node.say(AppScaled(name=APP, scale={"web": 2}))
        node.runs.answers = answers
        await node.over(version)
        await node.runs_as(("web.1", 2), ("web.2", 2))
        await node.serves(2)

    on_a_node(tmp_path, scenario)
