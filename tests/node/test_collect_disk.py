"""What is found on the disk, and how it gets off it, whatever builds have left there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rig.node.builder.model import Build, BuildPaths, save_build
from rig.node.collect import caches, gone
from rig.node.collect.caches import DEPTH, Odd, downloads
from rig.node.collect.disposal import measure, move_away
from rig.node.collect.model import Download, Found, Verdict
from rig.node.collect.survey import access_logs, apps_on_disk, empty_networks, survey_app
from rig.node.edge.slots import access_log
from rig.node.paths import NodePaths
from rig.node.runtime.removal import free, put_away
from tests.support import TIMEOUT, until


def never() -> bool:
    return False


def files(root: Path, contents: Mapping[str, str]) -> Path:
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    return NodePaths(tmp_path)


def test_everything_in_the_folder_of_an_app_is_found(paths: NodePaths) -> None:
    folder = paths.app("demo/hello")
    build = BuildPaths(folder, "b1")
    build.source.mkdir(parents=True)
    made = Build(id="b1", builder="python", isolation="none", place="/app", layers=("python-1",))
    save_build(made, build)
    os.utime(build.record, (5, 5))
    files(
        folder,
        {
            "builds/half/app/main.py": "",
            "builds/.DS_Store": "somebody else's",
            "cache/layers/python-1/bin/python": "",
            "cache/layers/python-1.json": "{}",
            "cache/layers/node-2/x": "",
            "cache/layers/.python-1.json.new": "",
            "cache/pip/http-v2/a/b": "download",
            "releases/v3.build.jsonl": "",
            "releases/v12.release.jsonl": "",
            "releases/notes": "",
            "home/data": "",
        },
    )
    found = survey_app(paths, "demo/hello")
    assert [(each.kind, each.name) for each in found] == [
        ("build", "b1"),
        ("build", "half"),
        ("layer", "node-2"),
        ("layer", "python-1"),
        ("cache", "pip"),
        ("log", "v12.release"),
        ("log", "v3.build"),
    ]
    assert (found[0].used, found[0].layers) == (5, ("python-1",))
    assert [each.path for each in found[4].downloads] == [b"http-v2/a/b"]
    assert [each.version for each in found[5:]] == [12, 3]
    assert survey_app(paths, "demo/nothing") == []


def test_apps_and_empty_networks_are_found(paths: NodePaths) -> None:
    files(
        paths.root,
        {"networks/demo/apps/hello/x": "", "networks/old/store/index.sqlite": "", "networks/.DS_Store": "no network"},
    )
    for path in (paths.store("old"), paths.network("old")):
        os.utime(path, (5, 5))
    os.utime(paths.store("old") / "index.sqlite", (9, 9))
    assert apps_on_disk(paths) == {"demo/hello"}
    assert [(each.app, each.used) for each in empty_networks(paths)] == [("old", 9)]


def test_access_logs_of_apps_that_do_not_exist_are_found(paths: NodePaths) -> None:
    edge = paths.edge
    files(edge, {f"slots/{number}/access.log": "" for number in (1, 2, 3)} | {"slots/2/access-2026.log.gz": ""})
    for name, slot in (("here.demo", 1), ("gone.demo", 2), ("renamed.demo", 3), ("now.demo", 3)):
        link = access_log(edge, f"{name}.localhost")
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(f"../slots/{slot}/access.log")
    found = access_logs(paths, {"demo/here", "demo/now"})
    assert {each.kind for each in found} == {"access"}
    # A slot that somebody has keeps its log, whoever else a link says had it.
    assert [(each.app, str(each.path.relative_to(edge))) for each in found] == [
        ("demo/gone", "access/gone.demo.localhost.log"),
        ("demo/gone", "access/../slots/2/access-2026.log.gz"),
        ("demo/gone", "access/../slots/2/access.log"),
        ("demo/renamed", "access/renamed.demo.localhost.log"),
    ]
    moved = move_away(paths, [Verdict(found=each, goes=True, reason="") for each in found])
    assert len(moved) == 4
    assert sorted(path.name for path in edge.rglob("*.log*")) == [
        "access.log", "access.log", "here.demo.localhost.log", "now.demo.localhost.log",
    ]  # fmt: skip


def test_of_many_that_ask_for_the_disk_to_be_freed_one_does_it(
    paths: NodePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[list[str]] = []
    let_go = threading.Event()

    def slow(removed: Path, stop: Callable[[], bool]) -> None:
        rounds.append(sorted(path.name for path in removed.iterdir()))
        assert let_go.wait(TIMEOUT)
        free(removed, stop)

    monkeypatch.setattr(gone, "free", slow)

    async def main() -> None:
        freeing = gone.Freeing(paths)
        files(paths.removed, {"a/x": ""})
        asked = [asyncio.create_task(freeing())]

        async def begun() -> bool:
            return bool(rounds)

        await until(begun, "the first round is on its way")
        files(paths.removed, {"b/x": ""})
        asked += [asyncio.create_task(freeing()) for _ in range(5)]
        let_go.set()
        await asyncio.gather(*asked)

    asyncio.run(main())
    # The second round was there for what came meanwhile.
    assert (rounds[0], len(rounds)) == (["a"], 2)
    assert list(paths.removed.iterdir()) == []


def test_what_is_not_there_cannot_be_put_away(paths: NodePaths) -> None:
    assert put_away(paths.root / "none", paths.removed) is None
    free(paths.root / "none", never)


def test_a_layer_loses_its_stamp_first(paths: NodePaths) -> None:
    folder = files(paths.app("demo/hello"), {"cache/layers/a/x": "1", "cache/layers/a.json": "{}"})
    (layer,) = survey_app(paths, "demo/hello")
    gone = Found(kind="layer", app="demo/hello", name="b", path=folder / "cache/layers/b")
    verdicts = [Verdict(found=each, goes=True, reason="") for each in (layer, gone)]
    [(verdict, place)] = move_away(paths, verdicts)
    assert verdict.found == layer
    assert list((folder / "cache/layers").iterdir()) == []
    assert (place / "x").read_text() == "1"
    assert place.parent == paths.removed
    (size,) = measure([place], 10, never).values()
    assert size >= 4096
    free(paths.removed, never)
    assert list(paths.removed.iterdir()) == []


def test_what_cannot_be_measured_in_time_counts_for_nothing(paths: NodePaths) -> None:
    assert measure([paths.root], 0, never) == {}
    assert measure([paths.root], 10, lambda: True) == {}
    assert measure([paths.root / "nothing"], 10, never) == {paths.root / "nothing": 0}


def test_freeing_stops_when_it_is_told_to(paths: NodePaths) -> None:
    files(paths.removed, {"a/x": ""})
    free(paths.removed, lambda: True)
    assert (paths.removed / "a/x").exists()


def test_only_what_is_named_is_removed_from_a_cache(tmp_path: Path) -> None:
    cache = files(tmp_path / "pip", {"a/b/one": "1", "a/b/two": "2", "three": "3"})
    going = [each for each in downloads(cache) if each.path != b"a/b/two"]
    assert sorted(each.path for each in going) == [b"a/b/one", b"three"]
    caches.remove(cache, [*going, Download(b"a/b/gone", 0, 0), Download(b"no/such", 0, 0)])
    assert [each.path for each in downloads(cache)] == [b"a/b/two"]


def test_links_in_a_cache_lead_nowhere(tmp_path: Path) -> None:
    outside = files(tmp_path / "outside", {"precious": "x"})
    cache = files(tmp_path / "pip", {"a/file": ""})
    (cache / "link").symlink_to(outside)
    assert sorted(each.path for each in downloads(cache)) == [b"a/file", b"link"]
    caches.remove(cache, [Download(b"link/precious", 0, 0)])
    assert (outside / "precious").exists()
    caches.remove(cache, [Download(b"link", 0, 0)])
    assert (outside / "precious").exists()
    assert not (cache / "link").is_symlink()
    (tmp_path / "npm").symlink_to(outside)
    with pytest.raises(Odd):
        downloads(tmp_path / "npm")


def test_a_folder_that_becomes_a_link_is_not_entered(tmp_path: Path) -> None:
    outside = files(tmp_path / "outside", {"file": "x"})
    cache = files(tmp_path / "pip", {"a/file": ""})
    going = downloads(cache)
    (cache / "a/file").unlink()
    (cache / "a").rmdir()
    (cache / "a").symlink_to(outside)
    caches.remove(cache, going)
    assert (outside / "file").read_text() == "x"


def test_a_cache_that_is_deeper_than_any_is_odd(tmp_path: Path) -> None:
    cache = tmp_path / "npm"
    (cache / "/".join("x" * (DEPTH + 1))).mkdir(parents=True)
    with pytest.raises(Odd):
        downloads(cache)
    found = NodePaths(tmp_path / "home")
    files(found.app("demo/hello"), {f"cache/npm/{'x/' * (DEPTH + 1)}file": ""})
    assert [each.odd for each in survey_app(found, "demo/hello")] == [True]
