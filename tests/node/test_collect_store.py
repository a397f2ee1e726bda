"""What a store lets go of, and what it never loses."""

from __future__ import annotations

import os
import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from rig.contract.bundles import PART_SIZE, Ask, LargeContent
from rig.kernel.errors import RigError
from rig.node.bundles.collect import GRACE, Swept, Tally, collect
from rig.node.bundles.marks import Stopped
from rig.node.bundles.materialise import materialise
from rig.node.bundles.store import Store
from rig.node.bundles.verify import commit
from tests.node.collecting import DAY, Clock, deploy, filler, nothing_hangs_loose
from tests.node.made_bundles import Source, check_whole, files_on_disk, named_files, send


def test_what_a_kept_bundle_needs_stays_and_the_rest_goes(store: Store, clock: Clock, tmp_path: Path) -> None:
    large, kept_large = os.urandom(2 * PART_SIZE + 5), os.urandom(PART_SIZE + 7)
    old = deploy(store, 1, 2, large=large)
    kept = deploy(store, 2, 3, large=kept_large)
    clock.later(2 * DAY)
    planned = collect(store, [kept], dry_run=True)
    assert store.bundle(old).bundle == old
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
    assert store.bundle(old).bundle == old
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
