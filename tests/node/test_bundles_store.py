"""The node's store: what arrives is checked, what counts is whole, and what is written out stays in its folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from rig.contract.bundles import (
    EXECUTABLE,
    FILE,
    HEADER,
    PART_SIZE,
    SYMLINK,
    Ask,
    Lacks,
    LargeContent,
    Limits,
)
from rig.kernel.errors import RigError
from rig.node.bundles.materialise import materialise
from rig.node.bundles.store import Store
from rig.node.bundles.verify import commit
from rig.wire import pack
from rig.wire.pack import PackObject
from tests.node.made_bundles import Source, files_on_disk, send


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def source() -> Source:
    return Source()


def refused(store: Store, source: Source, root: str) -> RigError:
    send(store, source.objects)
    with pytest.raises(RigError) as caught:
        commit(store, root)
    with pytest.raises(RigError, match="no bundle"):
        store.bundle(root)
    return caught.value


def test_a_tree_goes_in_and_comes_out(store: Store, source: Source, tmp_path: Path) -> None:
    large = os.urandom(2 * PART_SIZE + 5)
    root = source.root(
        source.file(b"run", b"#!/bin/sh\n", EXECUTABLE),
        source.file(b"empty", b""),
        source.file(b"large", large),
        source.file(b"\xff odd\n", b"bytes"),
        source.folder(b"sub", source.file(b"copy", b"#!/bin/sh\n"), source.file(b"link", b"../run", SYMLINK)),
    )
    send(store, source.objects)
    bundle = commit(store, root)
    assert (bundle.files, bundle.bytes) == (6, 10 + 0 + len(large) + 5 + 10 + 6)
    assert commit(store, root) == bundle == store.bundle(root)
    target = tmp_path / "out"
    materialise(store, root, target)
    assert (target / "run").stat().st_mode & 0o100
    assert not (target / "sub/copy").stat().st_mode & 0o100
    assert (target / "large").read_bytes() == large
    assert (target / "sub/link").resolve() == target / "run"
    assert (target / "empty").read_bytes() == b""
    assert sorted(os.listdir(os.fsencode(target))) == [b"empty", b"large", b"run", b"sub", b"\xff odd\n"]
    assert sorted(os.listdir(target / "sub")) == ["copy", "link"]


def test_everything_is_there_after_a_restart(store: Store, source: Source, tmp_path: Path) -> None:
    root = source.root(source.file(b"a", b"1"), source.file(b"b", bytes(2 * PART_SIZE)))
    *most, last = source.objects
    send(store, most)
    (store.temporary / "left by a node that was killed").write_bytes(b"x")
    store.close()
    again = Store(store.root)
    assert list(again.temporary.iterdir()) == []
    with pytest.raises(RigError, match="not whole"):
        commit(again, root)
    send(again, [last])
    commit(again, root)
    again.close()
    third = Store(store.root)
    materialise(third, root, tmp_path / "out")
    assert (tmp_path / "out/a").read_bytes() == b"1"
    third.close()


def test_what_is_lacking(store: Store, source: Source) -> None:
    big = bytes(PART_SIZE) + b"x" * PART_SIZE + b"y"
    inner = source.folder(b"inner", source.file(b"a", b"1"))
    outer = source.folder(b"outer", inner, source.file(b"b", b"2"))
    source.file(b"big", big)
    ask = Ask(
        directories=inner.digest + outer.digest,
        contents=sha256(b"1").digest() + sha256(b"2").digest(),
        large=[LargeContent(sha256(big).digest(), len(big))],
    )
    assert store.lacks(ask) == Lacks(directories=[0, 1], contents=[0, 1], large=[[0, 1, 2]])
    with pytest.raises(RigError) as caught:
        commit(store, outer.digest.hex())
    assert caught.value.details == {"lacking": 1, "empty": True}
    send(store, [o for o in source.objects if o.data != b"2" and o.offset != PART_SIZE])
    assert store.lacks(ask) == Lacks(directories=[0, 1], contents=[1], large=[[1]])
    with pytest.raises(RigError) as caught:
        commit(store, outer.digest.hex())
    assert caught.value.details == {"lacking": 1, "empty": False}
    send(store, source.objects)
    commit(store, outer.digest.hex())
    assert store.lacks(ask) == Lacks(directories=[], contents=[], large=[[]])


def test_ids_that_are_cut_short_are_refused(store: Store) -> None:
    with pytest.raises(RigError) as caught:
        store.lacks(Ask(contents=bytes(33)))
    assert caught.value.code == "invalid_data"


def test_a_pack_that_comes_twice_is_kept_once(store: Store, source: Source) -> None:
    root = source.root(source.file(b"a", b"1"))
    send(store, source.objects)
    before = files_on_disk(store)
    send(store, source.objects)
    assert files_on_disk(store) == before
    commit(store, root)


def test_a_lying_pack_leaves_nothing(store: Store, source: Source) -> None:
    source.file(b"a", b"honest")
    source.objects.append(PackObject(pack.CONTENT, sha256(b"x").digest(), 4, 0, b"evil"))
    with pytest.raises(RigError) as caught:
        send(store, source.objects)
    assert caught.value.code == "content_mismatch"
    assert files_on_disk(store) == set()
    assert store.lacks(Ask(contents=sha256(b"honest").digest())).contents == [0]


def test_a_large_content_that_lies_leaves_nothing(store: Store, source: Source) -> None:
    data = bytes(PART_SIZE) + b"tail"
    digest = source.content(data)
    send(store, source.objects[:1])
    with pytest.raises(RigError) as caught:
        send(store, [source.objects[1]._replace(data=b"evil")])
    assert caught.value.code == "content_mismatch"
    assert files_on_disk(store) == set()
    assert store.lacks(Ask(large=[LargeContent(digest, len(data))])).large == [[0, 1]]


def test_a_broken_pack_after_parts_leaves_no_file(store: Store, source: Source) -> None:
    source.content(bytes(PART_SIZE) + b"tail")
    with pytest.raises(RigError):
        send(store, [*source.objects[:1], PackObject(pack.CONTENT, bytes(32), 1, 0, b"x")])
    assert files_on_disk(store) == set()


@pytest.mark.parametrize(
    ("mode", "name", "problem"),
    [
        (1, b"..", "cannot be a name"),
        (1, b".", "cannot be a name"),
        (1, b"/etc/passwd", "cannot be a name"),
        (1, b"a/../../b", "cannot be a name"),
        (1, b"a\0b", "cannot be a name"),
        (5, b"device", "mode"),
        (0o60, b"device", "mode"),
    ],
)
def test_a_directory_that_is_none_is_refused_on_arrival(store: Store, mode: int, name: bytes, problem: str) -> None:
    data = HEADER + bytes([mode]) + bytes(8) + bytes(32) + len(name).to_bytes(2, "big") + name
    with pytest.raises(RigError, match=problem) as refused:
        send(store, [PackObject(pack.DIRECTORY, sha256(data).digest(), len(data), 0, data)])
    assert refused.value.kind.status < 500
    assert files_on_disk(store) == set(), "nothing is left behind"


def test_a_content_beyond_the_limit_is_refused_before_it_takes_room(tmp_path: Path) -> None:
    store = Store(tmp_path, Limits(bytes=PART_SIZE))
    size = 1 << 50
    with pytest.raises(RigError) as caught:
        store.lacks(Ask(large=[LargeContent(bytes(32), size)]))
    assert caught.value.code == "too_large"
    with pytest.raises(RigError) as caught:
        send(store, [PackObject(pack.CONTENT, bytes(32), size, 0, bytes(PART_SIZE))])
    assert caught.value.code == "too_large"
    assert files_on_disk(store) == set()
    store.close()


@pytest.mark.parametrize("target", [b"/etc/passwd", b"../x", b"a/../../x"])
def test_a_symlink_that_leaves_is_refused(store: Store, source: Source, target: bytes) -> None:
    error = refused(store, source, source.root(source.file(b"link", target, SYMLINK)))
    assert error.code == "invalid_data"


def test_a_symlink_may_go_up_as_far_as_it_stands_deep(store: Store, source: Source) -> None:
    deep = source.folder(b"a", source.folder(b"b", source.file(b"up", b"../../x", SYMLINK)))
    root = source.root(deep)
    send(store, source.objects)
    commit(store, root)
    with pytest.raises(RigError, match="leads out"):
        commit(store, deep.digest.hex())


@pytest.mark.parametrize("mode", [FILE, SYMLINK])
def test_a_size_that_is_not_that_of_the_content_is_refused(store: Store, source: Source, mode: int) -> None:
    entry = source.file(b"a", b"123", mode)._replace(size=4)
    assert "size" in refused(store, source, source.root(entry)).message


def test_a_directory_with_a_wrong_size_is_refused(store: Store, source: Source) -> None:
    folder = source.folder(b"d", source.file(b"a", b"1"))
    assert "size" in refused(store, source, source.root(folder._replace(size=folder.size + 1))).message


def test_a_tree_of_a_billion_files_in_a_few_bytes_is_refused(store: Store, source: Source) -> None:
    folder = source.folder(b"0", source.file(b"a", b"1"))
    for _ in range(100):
        folder = source.folder(b"x", folder._replace(name=b"l"), folder._replace(name=b"r"))
    assert refused(store, source, folder.digest.hex()).code == "too_large"


def test_a_tree_that_is_too_deep_or_has_too_long_paths_is_refused(tmp_path: Path) -> None:
    store, source = Store(tmp_path, Limits(depth=5, path=300)), Source()
    folder = source.folder(b"d", source.file(b"a", b"1"))
    for _ in range(6):
        folder = source.folder(b"d", folder)
    assert "deep" in refused(store, source, folder.digest.hex()).message
    long = source.folder(b"x" * 250, source.file(b"y" * 50, b"1"))
    assert "path" in refused(store, source, source.root(long)).message
    store.close()


def test_networks_do_not_see_each_other(tmp_path: Path, source: Source) -> None:
    one, other = Store(tmp_path / "one"), Store(tmp_path / "other")
    root = source.root(source.file(b"a", b"1"))
    send(one, source.objects)
    commit(one, root)
    assert other.lacks(Ask(contents=sha256(b"1").digest())).contents == [0]
    with pytest.raises(RigError):
        other.bundle(root)
    one.close()
    other.close()


def test_nothing_is_written_through_what_is_there_already(store: Store, source: Source, tmp_path: Path) -> None:
    root = source.root(source.file(b"a", b"1"))
    send(store, source.objects)
    commit(store, root)
    (tmp_path / "target").symlink_to(tmp_path)
    with pytest.raises(FileExistsError):
        materialise(store, root, tmp_path / "target")
    assert not (tmp_path / "a").exists()


def test_a_file_system_that_merges_names_is_reported(
    store: Store, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = source.root(source.folder(b"d", source.file(b"A", b"1"), source.file(b"a", b"2")))
    send(store, source.objects)
    commit(store, root)
    real = os.open
    monkeypatch.setattr(
        "rig.node.bundles.materialise.os.open",
        lambda path, *rest, **options: real(path.lower() if isinstance(path, bytes) else path, *rest, **options),
    )
    with pytest.raises(RigError, match="`d/a` has the same name"):
        materialise(store, root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_told_and_leaves_nothing(
    store: Store, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = source.root(source.file(b"a", b"1"))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("rig.node.bundles.receive.os.fsync", full)
        with pytest.raises(RigError) as caught:
            send(store, source.objects)
    assert caught.value.code == "unavailable"
    assert files_on_disk(store) == set()
    send(store, source.objects)
    commit(store, root)
    monkeypatch.setattr("rig.node.bundles.materialise.os.write", full)
    with pytest.raises(RigError) as caught:
        materialise(store, root, tmp_path / "out")
    assert caught.value.code == "unavailable"
    assert not (tmp_path / "out").exists()


def test_a_copy_goes_on_where_the_kernel_cannot(
    store: Store, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(3 * PART_SIZE)
    root = source.root(source.file(b"large", data))
    send(store, source.objects)
    commit(store, root)

    def unsupported(*_: object) -> int:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("rig.node.bundles.materialise.os.copy_file_range", unsupported, raising=False)
    materialise(store, root, tmp_path / "out")
    assert (tmp_path / "out/large").read_bytes() == data


def test_what_the_disk_takes_in_pieces_is_written_whole(
    store: Store, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write may take a part only; on a full disk the next one says why."""
    large = os.urandom(PART_SIZE + 5)
    root = source.root(source.file(b"large", large), source.file(b"small", b"0123456789"))
    send(store, source.objects)
    commit(store, root)
    write = os.write

    def half(fd: int, data: bytes) -> int:
        return write(fd, data[: max(1, len(data) // 2)])

    monkeypatch.delattr("rig.node.bundles.materialise.os.copy_file_range", raising=False)
    monkeypatch.setattr("rig.node.bundles.materialise.os.write", half)
    materialise(store, root, tmp_path / "out")
    assert (tmp_path / "out/large").read_bytes() == large
    assert (tmp_path / "out/small").read_bytes() == b"0123456789"


def test_an_index_of_another_format_is_not_touched(store: Store, tmp_path: Path) -> None:
    import sqlite3

    store.close()
    with sqlite3.connect(store.root / "index.sqlite") as db:
        db.execute("pragma user_version = 99")
    db.close()
    with pytest.raises(ValueError, match="format 99"):
        Store(store.root)
