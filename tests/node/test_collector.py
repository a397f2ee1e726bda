"""Collecting on a node that deploys: what is needed stays, whatever else is going on."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from events.app import AppCreated, AppDeleted
from events.network import NetworkCreated
from rig.contract.collect import Collection
from rig.kernel.errors import RigError
from rig.node.builder.model import BuildPaths
from rig.node.bundles import collect as sources
from rig.node.bundles.store import Store
from rig.node.bundles.verify import commit
from rig.node.collect import collector as collector_module
from rig.node.collect.collector import Collector
from rig.node.collect.model import CACHE_AGE, Retention
from rig.node.edge.slots import access_log
from tests.node.deploying import APP, BUNDLE, OTHER, Deploying, deploying
from tests.node.made_bundles import Source, send
from tests.support import TIMEOUT, until, wait_until

DAY = 86_400
NOW = Retention(keep=1, older_than=0)
"""Keep as little as can be."""
THIRD = "c" * 64


@asynccontextmanager
async def collecting(base: Path) -> AsyncIterator[tuple[Deploying, Collector]]:
    async with deploying(base) as node:
        collector = Collector(node.world, node.paths, node.stores, node.deployer, node.writer, "none")
        try:
            await node.found()
            yield node, collector
        finally:
            await collector.close()


def play(base: Path, scenario: Callable[[Deploying, Collector], Awaitable[None]]) -> None:
    async def run() -> None:
        async with collecting(base) as (node, collector):
            await scenario(node, collector)

    asyncio.run(run())


def builds(node: Deploying) -> set[str]:
    folder = node.paths.app("demo/hello") / "builds"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def build_of(node: Deploying, version: int) -> str:
    return node.app.releases[version].build


def told(collection: Collection) -> list[tuple[str, str, str]]:
    return [(each.what, each.app, each.name) for each in collection.garbage]


async def removed(node: Deploying) -> None:
    async def so() -> bool:
        return not node.paths.removed.exists() or not list(node.paths.removed.iterdir())

    await until(so, "what was moved away is gone")


@contextmanager
def held(module: object, name: str) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A function that says when it was reached, and waits until it is let go."""
    reached, let_go = threading.Event(), threading.Event()
    real = getattr(module, name)

    def waiting(*arguments: object, **options: object) -> object:
        reached.set()
        assert let_go.wait(TIMEOUT)
        return real(*arguments, **options)

    setattr(module, name, waiting)
    try:
        yield reached, let_go
    finally:
        let_go.set()
        setattr(module, name, real)


def test_a_dry_run_tells_what_the_real_one_does(tmp_path: Path) -> None:
    async def scenario(node: Deploying, collector: Collector) -> None:
        for bundle in (BUNDLE, OTHER, THIRD):
            await node.deploy(bundle)
        node.edge.idle.set()
        await node.runs_as(("web.1", 3))
        before = builds(node)
        planned = await collector.collect(NOW, dry_run=True)
        assert builds(node) == before
        assert told(planned) == [("build", APP, build_of(node, 1))]
        assert planned.bytes > 0
        assert {each.reason for each in planned.kept} == {"v2 served before", "v3 serves"}
        done = await collector.collect(NOW)
        assert (told(done), done.bytes, done.kept) == (told(planned), planned.bytes, [])
        assert builds(node) == before - {build_of(node, 1)}
        assert (await collector.collect(NOW)).garbage == []
        await removed(node)

    play(tmp_path, scenario)


def test_what_drains_keeps_its_build(tmp_path: Path) -> None:
    async def scenario(node: Deploying, collector: Collector) -> None:
        node.edge.idle.clear()
        for bundle in (BUNDLE, OTHER, THIRD):
            await node.deploy(bundle)
        assert node.running() == [("web.1", 1), ("web.1", 2), ("web.1", 3)]
        assert (await collector.collect(NOW)).garbage == []
        node.edge.idle.set()
        await node.runs_as(("web.1", 3))
        assert len((await collector.collect(NOW)).garbage) == 1

    play(tmp_path, scenario)


def test_an_app_of_which_a_release_is_made_is_passed_over(tmp_path: Path) -> None:
    async def scenario(node: Deploying, collector: Collector) -> None:
        await node.deploy()
        (node.paths.app("demo/hello") / "builds/rubbish").mkdir()
        async with node.deployer.lock(APP):
            collection = await collector.collect(NOW)
        assert (collection.garbage, collection.skipped) == ([], [APP])
        assert told(await collector.collect(NOW)) == [("build", APP, "rubbish")]

    play(tmp_path, scenario)


def test_a_release_that_begins_while_garbage_is_looked_for_keeps_what_it_needs(tmp_path: Path) -> None:
    """The third release stands on the build of the first, which was about to go when it began."""

    async def scenario(node: Deploying, collector: Collector) -> None:
        for bundle in (BUNDLE, OTHER, THIRD):
            await node.deploy(bundle)
        node.edge.idle.set()
        await node.runs_as(("web.1", 3))
        assert told(await collector.collect(NOW, dry_run=True)) == [("build", APP, build_of(node, 1))]
        with held(collector_module, "survey_app") as (reached, let_go):
            collection = asyncio.create_task(collector.collect(NOW))
            assert await asyncio.to_thread(reached.wait, TIMEOUT)
            version = await node.begin(BUNDLE)
            let_go.set()
            assert told(await collection) == []
        await node.over(version)
        assert node.app.current == version
        assert build_of(node, version) in builds(node)

    play(tmp_path, scenario)


def test_layers_caches_and_logs_go_with_what_needed_them(tmp_path: Path) -> None:
    async def scenario(node: Deploying, collector: Collector) -> None:
        await node.deploy()
        folder = node.paths.app("demo/hello")
        for name in ("cache/layers/python-1/x", "cache/layers/python-1.json", "cache/pip/a/old", "cache/pip/a/new"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("x" * 5000)
        (folder / "releases").mkdir(exist_ok=True)
        (folder / "releases/v99.build.jsonl").write_text("{}")
        longest = int(folder.stat().st_mtime) - CACHE_AGE - 10
        os.utime(folder / "cache/pip/a/old", (longest, longest))
        collection = await collector.collect(NOW)
        assert sorted(told(collection)) == [
            ("cache", APP, "pip"),
            ("layer", APP, "python-1"),
            ("log", APP, "v99.build"),
        ]
        assert all(each.bytes >= 4096 for each in collection.garbage)
        assert sorted(str(path.relative_to(folder)) for path in (folder / "cache").rglob("*") if path.is_file()) == [
            "cache/pip/a/new"
        ]
        assert list((folder / "releases").iterdir()) == []

    play(tmp_path, scenario)


def test_what_is_left_of_deleted_apps_and_networks_goes(tmp_path: Path) -> None:
    async def scenario(node: Deploying, collector: Collector) -> None:
        (node.paths.app("demo/gone") / "builds/x").mkdir(parents=True)
        Store(node.paths.store("old")).close()
        node.stores("young")
        for path in (node.paths.network("old"), node.paths.store("old"), *node.paths.store("old").iterdir()):
            os.utime(path, (5, 5))
        collection = await collector.collect(Retention())
        assert told(collection) == [("app", "demo/gone", ""), ("network", "old", "")]
        assert not node.paths.app("demo/gone").exists()
        assert not node.paths.network("old").exists()
        assert node.paths.store("young").exists()

    play(tmp_path, scenario)


def test_the_access_log_of_an_app_goes_with_it(tmp_path: Path) -> None:
    async def scenario(node: Deploying, collector: Collector) -> None:
        await node.deploy()
        for number, name in enumerate(("hello", "gone"), 1):
            log = node.paths.edge / "slots" / str(number) / "access.log"
            log.parent.mkdir(parents=True)
            log.write_text("GET /\n")
            link = access_log(node.paths.edge, f"{name}.demo.localhost")
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(f"../slots/{number}/access.log")
        planned = await collector.collect(Retention(), dry_run=True)
        assert told(planned) == [("access", "demo/gone", ""), ("access", "demo/gone", "")]
        assert access_log(node.paths.edge, "gone.demo.localhost").exists()
        assert told(await collector.collect(Retention())) == told(planned)
        assert [path.name for path in (node.paths.edge / "access").iterdir()] == ["hello.demo.localhost.log"]
        assert not (node.paths.edge / "slots/2/access.log").exists()
        assert access_log(node.paths.edge, "hello.demo.localhost").read_text() == "GET /\n"

    play(tmp_path, scenario)


def test_an_app_that_is_being_taken_down_is_left_to_it(tmp_path: Path) -> None:
    async def scenario(node: Deploying, collector: Collector) -> None:
        await node.deploy()
        folder = node.paths.app("demo/hello")
        async with node.deployer.lock(APP):
            await node.say(AppDeleted(name=APP))
            assert (await collector.collect(NOW)).skipped == [APP]
            assert folder.exists()
        await node.runs_as()

        async def gone() -> bool:
            return not folder.exists()

        await until(gone, "the app was taken down")

    play(tmp_path, scenario)


def test_an_app_that_cannot_be_looked_at_does_not_keep_the_others_from_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(node: Deploying, collector: Collector) -> None:
        await node.say(AppCreated(name="demo/broken"), stream="app:demo/broken")
        node.paths.app("demo/broken").mkdir(parents=True)
        (node.paths.app("demo/broken") / "builds").write_text("no folder")
        (node.paths.app("demo/hello") / "builds/rubbish").mkdir(parents=True)
        assert told(await collector.collect(NOW)) == [("build", APP, "rubbish")]
        assert "demo/broken cannot be collected" in caplog.text

    play(tmp_path, scenario)


def test_sources_of_kept_releases_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "GRACE", 0)

    async def scenario(node: Deploying, collector: Collector) -> None:
        bundles = []
        for n in range(3):
            source = Source()
            bundles.append(source.root(source.file(b"a", b"%d" % n * 5000)))
            send(node.stores("demo"), source.objects)
            commit(node.stores("demo"), bundles[-1])
            await node.deploy(bundles[-1])
        node.edge.idle.set()
        await node.runs_as(("web.1", 3))
        later = node.stores("demo").index.now() + 1
        monkeypatch.setattr(node.stores("demo").index, "_clock", lambda: later)
        collection = await collector.collect(NOW)
        assert [each.what for each in collection.garbage] == ["build", "contents", "directories"]
        assert node.stores.complete("demo", bundles[1])
        assert node.stores.complete("demo", bundles[2])
        assert not node.stores.complete("demo", bundles[0])

    play(tmp_path, scenario)


def test_one_collection_at_a_time_and_none_after_the_end(tmp_path: Path) -> None:
    async def scenario(node: Deploying, collector: Collector) -> None:
        with held(collector_module, "apps_on_disk") as (reached, let_go):
            first = asyncio.create_task(collector.collect(NOW))
            assert await asyncio.to_thread(reached.wait, TIMEOUT)
            with pytest.raises(RigError) as caught:
                await collector.collect(NOW, dry_run=True)
            assert caught.value.code == "locked"
            closing = asyncio.create_task(collector.close())
            await asyncio.to_thread(wait_until, collector._stop.is_set, "it was told to stop")
            let_go.set()
            with pytest.raises(RigError) as caught:
                await first
            assert caught.value.code == "interrupted"
            await closing
        with pytest.raises(RigError) as caught:
            await collector.collect(NOW)
        assert caught.value.code == "interrupted"

    play(tmp_path, scenario)


def test_a_network_that_is_deleted_meanwhile_has_no_garbage(tmp_path: Path) -> None:
    async def scenario(node: Deploying, collector: Collector) -> None:
        await node.say(NetworkCreated(name="other"), stream="network:other")
        await node.say(AppCreated(name="other/app"), stream="app:other/app")
        with held(sources, "collect") as (reached, let_go):
            collection = asyncio.create_task(collector.collect(Retention()))
            assert await asyncio.to_thread(reached.wait, TIMEOUT)
            node.world.networks.pop("demo")
            node.stores("demo").close()
            let_go.set()
            assert (await collection).garbage == []

    play(tmp_path, scenario)


def test_builds_that_are_there(tmp_path: Path) -> None:
    from rig.node.deploy.builds import KeptBuilds

    async def scenario(node: Deploying, collector: Collector) -> None:
        version = await node.deploy()
        kept = KeptBuilds(node.paths)
        assert kept.has(APP, build_of(node, version))
        assert not kept.has(APP, "")
        BuildPaths(node.paths.app("demo/hello"), build_of(node, version)).record.unlink()
        assert not kept.has(APP, build_of(node, version))

    play(tmp_path, scenario)
