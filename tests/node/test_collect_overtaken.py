"""Garbage is collected while others are at work, and by a node that is killed: nothing that is needed is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from rig.contract.bundles import PART_SIZE, Ask, LargeContent
from rig.kernel.errors import RigError
from rig.node.bundles import materialise as materialise_module
from rig.node.bundles.collect import Swept, collect
from rig.node.bundles.index import Index
from rig.node.bundles.marks import Marks
from rig.node.bundles.materialise import materialise
from rig.node.bundles.store import Store
from rig.node.bundles.verify import commit
from rig.wire import pack
from rig.wire.pack import PackObject
from tests.node.collecting import DAY, Clock, deploy, filler, nothing_hangs_loose
from tests.node.made_bundles import Source, check_whole, files_on_disk, send
from tests.support import wait_until


def test_what_is_claimed_while_garbage_is_looked_for_stays(
    store: Store, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, kept = deploy(store, 1, 2), deploy(store, 3)
    clock.later(10 * DAY)
    make = Marks.make

    def make_and_be_overtaken(marks: Marks, *arguments: object) -> None:
        make(marks, *arguments)  # type: ignore[arg-type]
        commit(store, old)

    monkeypatch.setattr(Marks, "make", make_and_be_overtaken)
    assert collect(store, [kept]) == Swept()
    materialise(store, old, tmp_path / "out")


def test_a_pack_whose_file_is_collected_under_it_is_sent_again(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source()
    data = os.urandom(2 * PART_SIZE)
    source.content(data)
    send(store, source.objects[:1])
    (partial,) = store.partial.iterdir()
    os.utime(partial, (clock.time, clock.time))
    clock.later(2 * DAY)
    pwrite = os.pwrite

    def overtaken(*arguments: object) -> int:
        written = pwrite(*arguments)  # type: ignore[arg-type]
        monkeypatch.setattr("rig.node.bundles.receive.os.pwrite", pwrite)
        os.utime(partial, (clock.time - 2 * DAY, clock.time - 2 * DAY))
        collect(store, [])
        return written

    monkeypatch.setattr("rig.node.bundles.receive.os.pwrite", overtaken)
    with pytest.raises(RigError) as caught:
        send(store, source.objects[1:])
    assert caught.value.kind.retryable
    send(store, source.objects)
    check_whole(store)
    assert store.read(source.objects[0].digest) == data


def test_an_upload_that_is_completed_while_it_is_looked_at_is_no_garbage(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source()
    digest = source.content(os.urandom(2 * PART_SIZE))
    send(store, source.objects[:1])
    (partial,) = store.partial.iterdir()

    def overtaken(index: Index, digest: bytes, size: int) -> set[int]:
        partial.rename(partial.with_name("complete"))
        return set()

    with monkeypatch.context() as patch:
        patch.setattr(Index, "parts", overtaken)
        assert collect(store, []) == Swept()
    partial.with_name("complete").rename(partial)
    send(store, source.objects)
    check_whole(store)
    assert store.lacks(Ask(contents=digest)).contents == []


def test_a_reader_that_is_overtaken_by_a_repack_looks_again(
    store: Store, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source()
    entries = [source.file(b"%d" % i, filler(i)) for i in range(10)]
    root = source.root(*entries[:2])
    source.root(*entries)
    send(store, source.objects)
    commit(store, root)
    clock.later(2 * DAY)
    places = Index.places

    def overtaken(index: Index, digests: list[bytes]) -> object:
        found = places(index, digests)
        monkeypatch.setattr(Index, "places", places)
        assert collect(store, [root]).repacked.count == 1
        return found

    monkeypatch.setattr(Index, "places", overtaken)
    materialise_module.materialise(store, root, tmp_path / "out")
    assert (tmp_path / "out/1").read_bytes() == filler(1)


def test_deployments_go_on_while_garbage_is_collected(store: Store, clock: Clock, tmp_path: Path) -> None:
    """Days pass, so all that nobody is using becomes garbage; each deployment sends only what it is told to."""
    stop = threading.Event()
    errors: list[BaseException] = []
    swept: list[Swept] = []

    def collecting() -> None:
        try:
            while not stop.is_set():
                swept.append(collect(store, []))
        except BaseException as error:
            errors.append(error)

    def collected_since(before: int) -> bool:
        return bool(errors) or len(swept) > before + 1

    thread = threading.Thread(target=collecting)
    thread.start()
    spared = 0
    try:
        for turn in range(60):
            if turn % 2:
                before = len(swept)
                clock.later(2 * DAY)
                if turn % 4 == 1:
                    # Else it is up to chance how much is there still when it is asked for.
                    wait_until(partial(collected_since, before), "all of it was collected")
                    assert errors == []
            source = Source()
            entries = [source.file(b"%d" % n, filler(n)) for n in range(turn % 4, turn % 4 + 8)]
            root = source.root(*entries, source.file(b"large", filler(7, 3 * PART_SIZE // 2)))
            lacking = [each for each in source.objects if lacks(store, each)]
            spared += len(source.objects) - len(lacking)
            send(store, lacking)
            commit(store, root)
            materialise(store, root, tmp_path / f"out{turn}")
    finally:
        stop.set()
        thread.join()
    assert errors == []
    assert spared, "something was there still when it was asked for"
    assert any(each.contents.count for each in swept)
    check_whole(store)


def lacks(store: Store, item: PackObject) -> bool:
    """Whether the store says that it lacks one object, or the part of it."""
    if item.kind == pack.DIRECTORY:
        return bool(store.lacks(Ask(directories=item.digest)).directories)
    if item.whole:
        return bool(store.lacks(Ask(contents=item.digest)).contents)
    [numbers] = store.lacks(Ask(large=[LargeContent(item.digest, item.size)])).large
    return item.offset // PART_SIZE in numbers


def test_a_kill_at_any_point_leaves_the_store_whole(store: Store, clock: Clock, tmp_path: Path) -> None:
    kept_large = os.urandom(PART_SIZE + 7)
    deploy(store, 1, 2, large=os.urandom(PART_SIZE + 9))
    source = Source()
    entries = [source.file(b"%d" % i, filler(i)) for i in range(10, 20)]
    kept = source.root(*entries[:2], source.file(b"large", kept_large))
    source.root(*entries)
    send(store, source.objects)
    commit(store, kept)
    source.content(os.urandom(2 * PART_SIZE))
    send(store, source.objects[-2:-1])
    clock.later(2 * DAY)
    for path in store.partial.iterdir():
        os.utime(path, (clock.time - 2 * DAY, clock.time - 2 * DAY))
    store.close()

    command = [sys.executable, "-m", "tests.node.collect_and_die", str(store.root), str(clock.time), kept]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout)
    assert {"commit", "rename", "sync", "unlink"} <= set(steps)
    assert steps.count("unlink") >= 4, "a segment, a content, an upload and a segment that was repacked"
    for killed in range(len(steps) + 1):
        left = Store(store.root.with_name(f"store.{killed}"), clock=clock)
        check_whole(left)
        assert commit(left, kept).files == 3
        materialise(left, kept, tmp_path / f"out{killed}")
        assert (tmp_path / f"out{killed}/large").read_bytes() == kept_large
        collect(left, [kept])
        nothing_hangs_loose(left)
        assert len(files_on_disk(left)) == 2
        left.close()
