"""A release that takes its build from another app: what it needs there, and what is left when that is gone."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.app import AppCreated, AppDeleted, AppState, DeployBuilt, DeployStarted, ReleaseState
from events.release import Promoted
from rig.node.builder.model import Build, BuildPaths, load_build
from rig.node.builder.transfer import copy_build
from rig.node.deploy import steps
from rig.node.deploy.builds import KeptBuilds
from rig.node.deploy.keys import lent_builds, pending_build
from tests.node.deploying import APP, BUNDLE, Deploying, deploying, patient
from tests.support import until

TARGET = "demo/target"


def play(base: Path, scenario: Callable[[Deploying], Awaitable[None]]) -> None:
    """Play a scenario on a node on which `demo/hello` serves v1 and `demo/target` is empty."""

    async def on_a_node() -> None:
        async with deploying(base) as node:
            await node.found()
            await node.deploy()
            await node.say(AppCreated(name=TARGET), stream=f"app:{TARGET}")
            await scenario(node)

    asyncio.run(on_a_node())


async def promote(node: Deploying) -> ReleaseState:
    """Promote what serves, to its end; gives the release of the target."""
    build, version = node.app.releases[1].build, node.world.app(TARGET).last + 1
    started = DeployStarted(
        app=TARGET,
        version=version,
        bundle=BUNDLE,
        config=msgspec.to_builtins(patient()),
        isolation="none",
        promoted=Promoted(app=APP, version=1, build=build),
    )
    built = DeployBuilt(app=TARGET, version=version, build=build, processes={"web": "serve a"})
    await node.say(started, built, stream=f"app:{TARGET}")

    async def is_over() -> bool:
        return node.world.app(TARGET).releases[version].outcome != "pending"

    await until(is_over, "the end of the promotion")
    return node.world.app(TARGET).releases[version]


def copies(node: Deploying) -> list[Path]:
    """The builds in the target's folder that are complete."""
    return list(node.paths.app("demo/target").glob("builds/*/build.json"))


def test_the_target_serves_the_build_and_needs_the_source_no_more(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        release = await promote(node)
        assert (release.outcome, release.rebuilt) == ("succeeded", False)
        kept = KeptBuilds(node.paths)
        assert kept.made(TARGET, release.build) == kept.made(APP, node.app.releases[1].build)
        assert kept.made(TARGET, "other") == kept.made(TARGET, "") == 0
        copy = load_build(BuildPaths(node.paths.app("demo/target"), release.build))
        assert copy is not None
        assert copy.place.startswith(str(node.paths.app("demo/target")))
        await node.say(AppDeleted(name=APP))

        async def gone() -> bool:
            return not node.paths.app("demo/hello").exists()

        await until(gone, "the source is gone")
        assert [info.version for info in node.supervisor.instances(TARGET)] == [1]
        assert len(copies(node)) == 1

    play(tmp_path, scenario)


def test_a_build_that_is_gone_is_no_release(tmp_path: Path) -> None:
    async def scenario(node: Deploying) -> None:
        node.forget_build(1)
        release = await promote(node)
        assert release.failure is not None
        assert release.failure.code == "build_failed"
        assert "v1 of `demo/hello` is no longer on the node" in release.failure.reason
        assert copies(node) == []

    play(tmp_path, scenario)


def test_a_source_that_is_deleted_meanwhile_leaves_no_half_of_a_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(node: Deploying) -> None:
        loop = asyncio.get_running_loop()

        def while_it_goes(*given: Any) -> Build:
            """A copy that looks whole, of an app that is removed at the same time."""
            copied = copy_build(*given)
            asyncio.run_coroutine_threadsafe(node.say(AppDeleted(name=APP)), loop).result()
            return copied

        monkeypatch.setattr(steps, "copy_build", while_it_goes)
        failure = (await promote(node)).failure
        assert failure is not None
        assert failure.code == "build_failed"
        assert copies(node) == []

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "failed"),
        (errno.EIO, "internal"),
        (errno.ENAMETOOLONG, "build_failed"),
        (errno.EACCES, "build_failed"),
    ],
)
def test_what_cannot_be_copied_is_no_missing_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def fails(*given: Any) -> Build:
        raise OSError(number, "no")

    async def scenario(node: Deploying) -> None:
        monkeypatch.setattr(steps, "copy_build", fails)
        release = await promote(node)
        assert release.failure is not None
        assert release.failure.code == code
        assert "no longer on the node" not in release.failure.reason

    play(tmp_path, scenario)


def test_what_another_app_is_about_to_copy_is_lent() -> None:
    promoted = Promoted(app=APP, version=1, build="key")
    started = DeployStarted(app=TARGET, version=1, bundle=BUNDLE, promoted=promoted)
    release = ReleaseState(started=started, build="key-p1")
    pending = AppState(name=TARGET, exists=True, pending=1, last=1, releases={1: release})
    over = msgspec.structs.replace(pending, pending=0, current=1)
    assert lent_builds([pending, over, AppState()], APP) == {"key"}
    assert lent_builds([over], APP) == lent_builds([pending], TARGET) == set()
    assert pending_build(pending, "none") == "key-p1"
