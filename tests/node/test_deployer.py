"""Making releases: what serves, and what is on the record, wherever something fails."""

from __future__ import annotations

from pathlib import Path
from weakref import ref

import msgspec
import pytest

from events.app import AppDeleted, DeployFailed, DeployStarted, DeploySucceeded
from rig.contract.project import AppConfig, DeployConfig
from rig.kernel.errors import RigError
from rig.node.deploy import making
from rig.node.runtime.driver import ExitStatus
from tests.node.deploying import APP, OTHER, Deploying, on_a_node, patient
from tests.support import until

pytestmark = pytest.mark.usefixtures("quick_retries")


def test_an_unhealthy_version_leaves_the_old_one_serving(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        before = node.ports
        node.runs.answers = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        version = await node.begin(OTHER)
        await node.is_not_waited_for()
        await node.over(version)
        failure = node.app.releases[version].failure
        assert failure is not None
        assert failure.code == "unhealthy"
        assert (node.app.current, node.app.pending, node.ports) == (1, 0, before)
        assert node.running() == [("web.1", 1)]

    on_a_node(tmp_path, scenario)


def test_an_edge_that_refuses_leaves_the_old_version_serving(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        before = node.ports
        node.edge.refuses = True
        await node.deploy(OTHER)
        assert (node.app.current, node.ports, node.running()) == (1, before, [("web.1", 1)])

    on_a_node(tmp_path, scenario)


def test_a_success_that_cannot_be_recorded_is_none(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        before = node.ports
        node.record.refused = {DeploySucceeded}
        version = await node.deploy(OTHER)
        failure = node.app.releases[version].failure
        assert failure is not None
        assert failure.code == "journal_unavailable"
        assert (node.app.current, node.ports, node.running()) == (1, before, [("web.1", 1)])

    on_a_node(tmp_path, scenario)


def test_a_failure_is_recorded_as_soon_as_it_can_be(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        node.record.refused = {DeploySucceeded, DeployFailed}
        version = await node.begin()

        async def refused_thrice() -> bool:
            return node.record.refusals >= 3

        await until(refused_thrice, "tries")
        assert node.app.pending == version
        node.record.refused.clear()
        await node.over(version)
        assert await node.deploy() == version + 1
        assert node.app.current == version + 1

    on_a_node(tmp_path, scenario)


def test_a_failure_that_says_too_much_for_the_record_is_recorded_without_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talkative(*_: object) -> None:
        raise RigError("unhealthy", "It does not answer.", output=["x" * (1 << 20)])

    async def scenario(node: Deploying) -> None:
        version = await node.deploy()
        failure = node.app.releases[version].failure
        assert failure is not None
        assert (failure.code, failure.output) == ("unhealthy", [])

    monkeypatch.setattr(making, "check", talkative)
    on_a_node(tmp_path, scenario)


def test_a_configuration_of_a_newer_rig_fails_its_release_and_nothing_else(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        await node.say(DeployStarted(app=APP, version=2, bundle=OTHER, config={"build": {"quantum": True}}))
        await node.over(2)
        failure = node.app.releases[2].failure
        assert failure is not None
        assert failure.code == "bad_config"
        assert (node.app.pending, node.running()) == (0, [("web.1", 1)])

    on_a_node(tmp_path, scenario)


def test_a_rollback_is_told_when_it_was_done(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        await node.deploy(OTHER)
        await node.deploy(rollback_of=1)
        assert node.facts()[-2:] == ["deploy.succeeded", "deploy.rolled_back"]

    on_a_node(tmp_path, scenario)


def test_a_rollback_without_its_build_fails_and_is_never_called_done(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        await node.deploy(OTHER)
        node.forget_build(1)
        old = node.app.releases[1].started
        await node.say(msgspec.structs.replace(old, version=3, rollback_of=1, previous=2))
        await node.over(3)
        failure = node.app.releases[3].failure
        assert failure is not None
        assert failure.code == "build_failed"
        assert "deploy.rolled_back" not in node.facts()
        assert (node.app.current, node.running()) == (2, [("web.1", 2)])

    on_a_node(tmp_path, scenario)


def test_a_forced_build_is_one_of_its_own(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        await node.deploy(force=True)
        assert node.app.releases[2].build == f"{node.app.releases[1].build}-v2"

    on_a_node(tmp_path, scenario)


def test_a_deleted_app_leaves_nothing_to_the_next_one_of_its_name(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        kept = node.paths.app("demo/hello") / "home" / "diary"
        kept.parent.mkdir(exist_ok=True)
        kept.write_text("of the first owner")
        await node.say(AppDeleted(name=APP))
        await node.found()

        async def is_gone() -> bool:
            return not kept.exists()

        await until(is_gone, "the removal")
        assert node.running() == []
        await node.deploy()
        assert (node.app.current, node.running()) == (2, [("web.1", 2)])

    on_a_node(tmp_path, scenario)


def test_an_app_that_keeps_ending_gets_the_page_that_says_so(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()

        async def given_up() -> bool:
            (instance,) = node.supervisor.committed(APP)
            handle = node.runs.adopt(instance.folder / instance.record.run)
            if handle is not None and node.runs.alive(handle):
                node.runs.crash(handle, ExitStatus(code=1))
            (route,) = node.edge.routes
            return (route.ports, route.idle) == ((), "crashed")

        await until(given_up, "the page")
        assert set(node.app.crashed) == {"web.1"}

    on_a_node(tmp_path, scenario)


def test_the_lock_of_an_app_is_one_for_as_long_as_somebody_has_it(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        async with node.deployer.lock(APP):
            left = ref(node.deployer.lock(APP))
            assert node.deployer.lock(APP).locked()
        assert left() is None

    on_a_node(tmp_path, scenario)


def test_whoever_took_the_news_before_looking_misses_none(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        news = node.node.news(APP)
        await node.deploy()
        assert news.is_set()
        assert not node.node.news(APP).is_set()

    on_a_node(tmp_path, scenario)


def test_the_release_command_runs_before_the_new_version(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy(config=AppConfig(deploy=DeployConfig(release="migrate", drain=0)))
        assert node.runs.commands == ["migrate"]
        await node.deploy(config=patient(), rollback_of=1)
        assert node.runs.commands == ["migrate"]

    on_a_node(tmp_path, scenario)


def test_releases_are_made_in_the_order_of_the_record(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        await node.deploy()
        # The lock is the deployer's own: whatever the handlers let through is done in the order of the record.
        first = await node.begin(OTHER)
        second = await node.begin()
        await node.over(first)
        await node.over(second)
        assert node.app.current == second
        await node.runs_as(("web.1", second))

    on_a_node(tmp_path, scenario)
