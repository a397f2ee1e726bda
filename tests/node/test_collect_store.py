"""What a store lets go of, and what it never loses."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from rig.contract.bundles import PART_SIZE, Ask, LargeContent
from rig.kernel.errors import RigError
from rig.node.bundles import materialise as materialise_module
from rig.node.bundles.collect import GRACE, Swept, Tally, collect
from rig.node.bundles.index import Index
from rig.node.bundles.marks import Marks, Stopped
from rig.node.bundles.materialise import materialise
from rig.node.bundles.store import Store
from rig.node.bundles.verify import commit
from rig.wire import pack
from rig.wire.pack import PackObject
from tests.node.made_bundles import Source, check_whole, files_on_disk, named_files, send
from tests.support import wait_until

DAY = 86_400


class Clock:
    """Time that stands still."""

    def __init__(self) -> None:
        self.time = 1_780_000_000.0

    def __call__(self) -> float:
        return self.time

    def later(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = Store(tmp_path / "store", clock=clock)
    yield store
    store.close()


def filler(seed: int, size: int = 20_000) -> bytes:
    return sha256(b"%d" % seed).digest() * (size // 32)


def deploy(store: Store, *seeds: int, large: bytes = b"", same: bytes = b"the same in all") -> str:
    """Send a tree of these contents, in one pack, and commit it."""
    source = Source()
    root = source.root(
        source.folder(b"sub", *(source.file(b"file%d" % seed, filler(seed)) for seed in seeds)),
        source.file(b"same", same),
        *([source.file(b"large", large)] if large else []),
    )
    send(store, source.objects)
    commit(store, root)
    return root


def nothing_hangs_loose(store: Store) -> None:
    check_whole(store)
    assert files_on_disk(store) == named_files(store)


def test_what_a_kept_bundle_needs_stays_and_the_rest_goes(store: Store, clock: Clock, tmp_path: Path) -> None:
    large, kept_large = os.urandom(2 * PART_SIZE + 5), os.urandom(PART_SIZE + 7)
    old = deploy(store, 1, 2, large=large)
    kept = deploy(store, 2, 3, large=kept_large)
    clock.later(2 * DAY)
    planned = collect(store, [kept], dry_run=True)
    assert store.bundle(old)
    swept = collect(store, [kept])
    assert swept == planned
    assert swept.contents.count == 2
    assert swept.contents.bytes == len(large)
    assert swept.directories.count == 2
    with pytest.raises(RigError, match="no bundle"):
        store.bundle(old)
    assert not store.loose(sha256(large).digest()).exists()
    materialise(store, kept, tmp_path / "out")
    assert (tmp_path / "out/large").read_bytes() == kept_large
    assert (tmp_path / "out/sub/file2").read_bytes() == filler(2)
    nothing_hangs_loose(store)
    assert collect(store, [kept]) == Swept()


def test_a_store_without_kept_bundles_becomes_empty(store: Store, clock: Clock) -> None:
    deploy(store, 1, 2, large=os.urandom(PART_SIZE + 1))
    clock.later(2 * DAY)
    assert collect(store, ["ab" * 32]).contents.count == 4
    assert files_on_disk(store) == set()
    assert store.index.is_empty()


def test_what_arrived_within_a_day_stays(store: Store, clock: Clock) -> None:
    one, other = Source(), Source()
    one.file(b"a", filler(1))
    root = other.root(one.file(b"b", filler(2)), other.file(b"c", filler(3)))
    send(store, one.objects)
    clock.later(DAY - 1)
    assert collect(store, []) == Swept()
    send(store, other.objects)
    clock.later(2)
    assert collect(store, []).contents.count == 1
    ask = Ask(contents=sha256(filler(1)).digest() + sha256(filler(2)).digest())
    assert store.lacks(ask).contents == [0], "the other one is named by a directory that has just arrived"
    commit(store, root)
    check_whole(store)


def test_what_was_said_to_be_here_stays_for_a_day(store: Store, clock: Clock, tmp_path: Path) -> None:
    large = os.urandom(PART_SIZE + 1)
    root = deploy(store, 1, 2, large=large)
    source = Source()
    sub = source.folder(b"sub", source.file(b"file1", filler(1)), source.file(b"file2", filler(2)))
    clock.later(10 * DAY)
    ask = Ask(
        directories=sub.digest,
        contents=sha256(b"the same in all").digest(),
        large=[LargeContent(sha256(large).digest(), len(large))],
    )
    assert store.lacks(ask).large == [[]]
    clock.later(GRACE - 1)
    assert collect(store, []).directories.count == 1, "the root alone was not asked for"
    again = Source()
    assert again.root(sub, again.file(b"same", b"the same in all"), again.file(b"large", large)) == root
    send(store, again.objects[-1:])
    commit(store, root)
    materialise(store, root, tmp_path / "out")
    nothing_hangs_loose(store)


@pytest.mark.parametrize("how", ["committed", "claimed", "sent"])
def test_a_bundle_that_was_named_again_stays_for_a_day(store: Store, clock: Clock, tmp_path: Path, how: str) -> None:
    root = deploy(store, 1, 2)
    clock.later(10 * DAY)
    if how == "committed":
        commit(store, root)
    elif how == "claimed":
        store.claim(root)
    else:
        assert deploy(store, 1, 2) == root
    clock.later(GRACE - 3601)
    collect(store, [])
    materialise(store, root, tmp_path / "out")
    clock.later(3602)
    collect(store, [])
    with pytest.raises(RigError):
        store.bundle(root)


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


def test_uploads_that_nobody_goes_on_with_are_given_up(store: Store, clock: Clock) -> None:
    source = Source()
    data = os.urandom(3 * PART_SIZE)
    digest = source.content(data)
    ask = Ask(large=[LargeContent(digest, len(data))])
    send(store, source.objects[:1])
    (partial,) = store.partial.iterdir()
    os.utime(partial, (clock.time, clock.time))
    clock.later(DAY + 5)
    assert store.lacks(ask).large == [[1, 2]], "this asks for the first part to stay"
    assert collect(store, []).uploads == Tally()
    clock.later(DAY + 5)
    assert collect(store, []).uploads.count == 1
    assert store.lacks(ask).large == [[0, 1, 2]]
    assert files_on_disk(store) == set()
    send(store, source.objects)
    assert store.read(digest) == data


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


def test_segments_of_which_little_is_left_are_repacked(store: Store, clock: Clock, tmp_path: Path) -> None:
    kept = []
    for n in range(5):
        # Two files of ten stay of each pack.
        source = Source()
        entries = [source.file(b"%d" % i, filler(100 * n + i)) for i in range(10)]
        kept.append(source.root(*entries[:2]))
        source.root(*entries)
        send(store, source.objects)
        commit(store, kept[-1])
    before = {path: path.read_bytes() for path in store.segments.iterdir()}
    clock.later(2 * DAY)
    swept = collect(store, kept)
    assert swept.repacked == Tally(5, 5 * 8 * len(filler(0)))
    (segment,) = store.segments.iterdir()
    assert segment not in before
    assert segment.stat().st_size == 5 * 2 * len(filler(0))
    for n, root in enumerate(kept):
        materialise(store, root, tmp_path / f"out{n}")
        assert (tmp_path / f"out{n}/1").read_bytes() == filler(100 * n + 1)
    nothing_hangs_loose(store)


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


def test_a_damaged_segment_is_left_as_it_is(store: Store, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    entries = [source.file(b"%d" % i, filler(i)) for i in range(10)]
    root = source.root(*entries[:2])
    source.root(*entries)
    send(store, source.objects)
    commit(store, root)
    (segment,) = store.segments.iterdir()
    with segment.open("r+b") as file:
        file.write(b"damage")
    clock.later(2 * DAY)
    collect(store, [root])
    assert list(store.segments.iterdir()) == [segment]
    assert "is damaged" in caplog.text
    assert store.read(sha256(filler(1)).digest()) == filler(1)


def test_it_can_be_stopped_and_goes_on_the_next_time(store: Store, clock: Clock) -> None:
    old, kept = deploy(store, 1, 2), deploy(store, 3)
    clock.later(2 * DAY)
    with pytest.raises(Stopped):
        collect(store, [kept], stop=lambda: True)
    check_whole(store)
    assert store.bundle(old)
    collect(store, [kept])
    nothing_hangs_loose(store)


def test_files_that_no_row_names_are_removed(store: Store, clock: Clock) -> None:
    kept = deploy(store, 1, large=os.urandom(PART_SIZE + 1))
    (store.segments / "00000099").write_bytes(b"left by a node that was killed")
    loose = store.loose(sha256(b"x").digest())
    loose.parent.mkdir(exist_ok=True)
    loose.write_bytes(b"x")
    young = store.partial_file(sha256(b"y").digest(), 2 * PART_SIZE)
    young.write_bytes(b"y")
    os.utime(young, (clock.time, clock.time))
    collect(store, [kept])
    assert files_on_disk(store) == named_files(store) | {str(young.relative_to(store.root))}
    clock.later(2 * DAY)
    collect(store, [kept])
    nothing_hangs_loose(store)


def test_a_store_of_the_first_format_is_taken_over(store: Store, clock: Clock, tmp_path: Path) -> None:
    root = deploy(store, 1, 2)
    store.close()
    db = sqlite3.connect(store.root / "index.sqlite")
    for table in ("contents", "parts", "directories"):
        db.execute(f"alter table {table} drop column seen")
    db.execute("pragma user_version = 1")
    db.commit()
    db.close()
    again = Store(store.root, clock=clock)
    assert collect(again, []) == Swept(), "nobody knows how old it is, so it is as good as new"
    materialise(again, root, tmp_path / "out")
    clock.later(2 * DAY)
    assert collect(again, []).directories.count == 2
    again.close()


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
                    wait_until(lambda before=before: len(swept) > before + 1, "all of it was collected")
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
