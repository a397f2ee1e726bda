"""What has not changed since the last time is not read again; what changes meanwhile is noticed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from rig.clients.source import reading
from rig.clients.source.listing import Listing, list_source
from rig.clients.source.statcache import Stat
from rig.kernel.errors import RigError
from tests.clients.sources import put, refused, write
from tests.clients.test_source_secrets import SECRET_CONTENTS

Look = Callable[[bytes, bytes], bool]


def test_a_credential_is_remembered_with_the_file_that_holds_it(tmp_path: Path, counted: Counted, later: None) -> None:
    """A second look reads nothing, and refuses all the same; so does one after a neighbour has changed."""
    source, cache = tmp_path / "source", str(tmp_path / "cache")
    put(source, "config.json", SECRET_CONTENTS["config.json"])
    put(source, "main.py", "1")
    list_source(str(source), cache_dir=cache, allow_secrets=["config.json"])
    assert counted.taken() == ["config.json", "main.py"]
    for changed in ([], ["main.py"]):
        for name in changed:
            put(source, name, "22")
        with pytest.raises(RigError, match=r"config\.json"):
            list_source(str(source), cache_dir=cache)
        assert counted.taken() == changed
    put(source, "config.json", '{"token": "${TOKEN}"}')
    assert list_source(str(source), cache_dir=cache).files == 2


class Counted:
    """Which files are opened and hashed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        real = reading.hash_file

        def hash_file(full: bytes, stat: Stat, look: Look) -> tuple[Stat, bytes, bool]:
            self.names.append(os.fsdecode(os.path.basename(full)))
            return real(full, stat, look)

        monkeypatch.setattr("rig.clients.source.listing.hash_file", hash_file)

    def taken(self) -> list[str]:
        names, self.names = sorted(self.names), []
        return names


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is an hour ahead of the files, so that they count as being at rest."""
    import time

    real = time.time_ns
    monkeypatch.setattr("rig.clients.source.listing.time.time_ns", lambda: real() + 3600 * 10**9)


@pytest.mark.usefixtures("later")
def test_only_what_changed_is_read_again(tmp_path: Path, counted: Counted) -> None:
    root, cache = tmp_path / "source", str(tmp_path / "cache")
    write(root, a="1", b__c="2", b__d="3", e__f="4")
    first = list_source(str(root), cache_dir=cache)
    assert counted.taken() == ["a", "c", "d", "f"]
    assert list_source(str(root), cache_dir=cache).tree == first.tree
    assert counted.taken() == []
    put(root, "b/c", "changed")
    changed = list_source(str(root), cache_dir=cache)
    assert counted.taken() == ["c"]
    assert changed.tree == list_source(str(root)).tree != first.tree
    (root / "e/f").unlink()
    assert list_source(str(root), cache_dir=cache).tree == list_source(str(root)).tree


def test_a_file_that_was_not_at_rest_is_read_again(tmp_path: Path, counted: Counted) -> None:
    root, cache = tmp_path / "source", str(tmp_path / "cache")
    path = put(root, "a", "1")
    list_source(str(root), cache_dir=cache)
    counted.taken()
    # A change within the tick of the clock: same size, same times as far as anybody can see.
    path.write_text("2")
    assert {entry.digest for _, entry in list_source(str(root), cache_dir=cache).tree.files()} == {
        sha256(b"2").digest()
    }
    assert counted.taken() == ["a"]


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("damage", [b"", b"garbage", b"flip"])
def test_a_damaged_cache_counts_for_nothing(tmp_path: Path, counted: Counted, damage: bytes) -> None:
    root, cache = tmp_path / "source", tmp_path / "cache"
    write(root, a="1")
    list_source(str(root), cache_dir=str(cache))
    (file,) = cache.iterdir()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content) if damage == b"flip" else damage)
    counted.taken()
    list_source(str(root), cache_dir=str(cache))
    assert counted.taken() == ["a"]


@pytest.mark.usefixtures("later")
def test_caches_of_folders_that_are_gone_are_removed(tmp_path: Path, counted: Counted) -> None:
    cache = tmp_path / "cache"
    for name in ("gone", "stays", "new"):
        write(tmp_path / name, a="1")
    list_source(str(tmp_path / "gone"), cache_dir=str(cache))
    list_source(str(tmp_path / "stays"), cache_dir=str(cache))
    (cache / "0123.stat").write_bytes(b"rig stat cache 1\n, of an older version")
    (cache / "notes").write_text("none of ours")
    shutil.rmtree(tmp_path / "gone")
    list_source(str(tmp_path / "new"), cache_dir=str(cache))
    assert len(list(cache.glob("*.stat"))) == 2
    assert (cache / "notes").exists()
    counted.taken()
    list_source(str(tmp_path / "stays"), cache_dir=str(cache))
    list_source(str(tmp_path / "new"), cache_dir=str(cache))
    assert counted.taken() == []


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "growing", "0")
    times = [2]

    def hashed(content: bytes) -> object:
        if times[0]:
            times[0] -= 1
            with path.open("a") as file:
                file.write("more")
        return sha256(content)

    monkeypatch.setattr(reading, "sha256", hashed)
    listing = list_source(str(tmp_path))
    assert (listing.files, listing.bytes) == (1, 9)
    times[0] = 100
    error = refused(tmp_path)
    assert error.code == "conflict"
    assert "growing" in error.message


def test_a_file_that_goes_while_it_is_listed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, going__a="1", staying="2")
    real = reading.hash_file

    def hash_file(full: bytes, stat: Stat, look: Look) -> tuple[Stat, bytes, bool]:
        if full.endswith(b"a"):
            os.unlink(full)
        return real(full, stat, look)

    monkeypatch.setattr("rig.clients.source.listing.hash_file", hash_file)
    listing: Listing = list_source(str(tmp_path))
    assert [path for path, _ in listing.tree.files()] == [b"staying"]
    assert (listing.files, listing.bytes) == (1, 1)
