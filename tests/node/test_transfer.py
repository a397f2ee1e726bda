"""A build in another app's folder: what is copied, what is said otherwise there, what is not shared."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rig.node.builder.layers import complete, seal
from rig.node.builder.model import Build, BuildMount, BuildPaths
from rig.node.builder.transfer import copy_build, copy_tree
from tests.e2e.rig import project


class Driver:
    """Places as a driver gives them, and what was handed over to whom."""

    def __init__(self, *, isolated: bool) -> None:
        self._isolated = isolated
        self.given: list[tuple[str, str]] = []

    def place(self, host: Path, inside: str) -> str:
        return inside if self._isolated else str(host)

    def give(self, path: Path, owner: str) -> None:
        self.given.append((path.name, owner))


class Two:
    """An app with a build, and one that is to get it."""

    def __init__(self, folder: Path, *, isolated: bool) -> None:
        self.driver: Any = Driver(isolated=isolated)
        self.source = BuildPaths(folder / "apps" / "shop", "key")
        self.target = BuildPaths(folder / "apps" / "shop-two", "key-p2")
        self.layer = self.source.layers / "python-1"
        place = self.driver.place(self.layer, "/layers/python-1")
        project(
            self.source.source,
            {
                "main.py": "print()",
                "made/paths.json": f'["{self.source.source}", "{self.source.app_dir}-other/x"]',
                "run.sh": "#!/bin/sh\n",
            },
        )
        (self.source.source / "run.sh").chmod(0o755)
        (self.source.source / "made/binary").write_bytes(b"\0" + str(self.source.source).encode())
        os.symlink(f"{self.source.source}/main.py", self.source.source / "absolute")
        os.symlink("nowhere/../../..", self.source.source / "relative")
        (self.source.source / "made").chmod(0o555)
        project(self.layer, {"bin/tool": f"#!{self.layer}/bin/python\n"})
        project(self.source.site, {"shop.py": "x = 1"})
        seal(self.layer)
        self.source.log.write_text("built\n")
        self.build = Build(
            id="key",
            builder="python",
            isolation="bubblewrap" if isolated else "none",
            place=self.driver.place(self.source.source, "/app"),
            mounts=(
                BuildMount(source="cache/layers/python-1", inside=place),
                BuildMount(source="builds/key/site", inside=self.driver.place(self.source.site, "/site")),
                BuildMount(source="/opt/python", inside="/opt/python"),
            ),
            path=(f"{place}/bin", "/usr/bin"),
            env={"VIRTUAL_ENV": place},
            layers=("python-1", "of-the-build-alone"),
            built_at=7,
        )

    def copy(self) -> Build:
        return copy_build(self.build, self.source, self.target, self.driver, "demo/shop")


@pytest.fixture(params=[True, False], ids=["isolated", "not isolated"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Two:
    return Two(tmp_path, isolated=request.param)


def test_it_is_the_same_build_in_another_folder(two: Two) -> None:
    copied, app = two.copy(), two.target.source
    assert (copied.id, copied.built_at, copied.layers) == ("key-p2", 7, ("python-1",))
    assert [mount.source for mount in copied.mounts] == ["cache/layers/python-1", "builds/key-p2/site", "/opt/python"]
    assert (app / "main.py").read_text() == "print()"
    assert (app / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (app / "made").stat().st_mode & 0o777 == 0o555
    assert (app / "main.py").stat().st_mtime_ns == (two.source.source / "main.py").stat().st_mtime_ns
    assert (app / "main.py").stat().st_nlink == 1, "neither can be changed through the other"
    assert os.readlink(app / "relative") == "nowhere/../../.."
    assert complete(two.target.layers / "python-1")
    assert not two.target.log.exists(), "what the build said is for those who may read the app that it was made for"
    assert not two.target.record.exists(), "who asked for it notes that it is complete"
    assert sorted(two.driver.given) == [("app", "demo/shop"), ("python-1", "demo/shop"), ("site", "demo/shop")]


def test_an_isolated_process_finds_it_where_it_was(tmp_path: Path) -> None:
    two = Two(tmp_path, isolated=True)
    copied = two.copy()
    assert [mount.inside for mount in copied.mounts] == ["/layers/python-1", "/site", "/opt/python"]
    assert (copied.place, copied.path, copied.env) == (two.build.place, two.build.path, two.build.env)
    assert (two.target.source / "made/paths.json").read_text() == (two.source.source / "made/paths.json").read_text()


def test_without_isolation_it_says_the_other_folder(tmp_path: Path) -> None:
    two = Two(tmp_path, isolated=False)
    copied, layer = two.copy(), two.target.layers / "python-1"
    assert copied.place == str(two.target.source)
    assert copied.mounts[0].inside == copied.env["VIRTUAL_ENV"] == str(layer)
    assert copied.mounts[1].inside == str(two.target.site)
    assert copied.path == (f"{layer}/bin", "/usr/bin")
    assert (layer / "bin/tool").read_text() == f"#!{layer}/bin/python\n"
    assert os.readlink(two.target.source / "absolute") == str(two.target.source / "main.py")
    # A folder whose name only begins like it is another one.
    assert (two.target.source / "made/paths.json").read_text() == (
        f'["{two.target.source}", "{two.source.app_dir}-other/x"]'
    )
    assert (two.target.source / "made/binary").read_bytes() == (two.source.source / "made/binary").read_bytes()


def test_what_is_complete_already_is_kept_and_what_is_not_is_made_anew(two: Two) -> None:
    layer = two.target.layers / "python-1"
    project(layer, {"bin/tool": "mine"})
    project(two.target.root, {"app/left": "over"})
    seal(layer)
    two.copy()
    assert (layer / "bin/tool").read_text() == "mine"
    assert not (two.target.source / "left").exists()
    layer.with_name("python-1.json").unlink()
    two.copy()
    assert (layer / "bin/tool").read_text() != "mine"


def test_a_build_without_layers_is_copied_too(tmp_path: Path) -> None:
    two = Two(tmp_path, isolated=True)
    two.build = msgspec.structs.replace(two.build, mounts=(), layers=("python-1",))
    assert two.copy().layers == ()
    assert list(two.target.layers.iterdir()) == []


def test_nothing_is_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the node")
    source = project(tmp_path / "source", {"file": "1"})
    os.symlink(tmp_path / "secret", source / "link")
    os.symlink(tmp_path, source / "folder")
    copy_tree(source, tmp_path / "copy")
    assert (tmp_path / "copy/link").is_symlink()
    assert (tmp_path / "copy/folder").is_symlink()


def test_what_is_no_file_is_never_read(tmp_path: Path) -> None:
    """Nobody writes into the pipe: whoever opened it would wait for ever."""
    source = project(tmp_path / "source", {"file": "1"})
    os.mkfifo(source / "pipe", 0o640)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(source / "socket"))
    copy_tree(source, tmp_path / "copy")
    assert (tmp_path / "copy/pipe").is_fifo()
    assert sorted(os.listdir(tmp_path / "copy")) == ["file", "pipe"]


def test_a_copy_takes_no_more_room_than_what_is_copied(tmp_path: Path) -> None:
    """A build can hold a file of a terabyte that takes no room, and a file by a thousand names."""
    source = project(tmp_path / "source", {"one/file": "x" * 50_000})
    for name in range(20):
        os.link(source / "one/file", source / f"again{name}")
    with open(source / "sparse", "wb") as file:
        file.truncate(1 << 40)
        for place in (1 << 20, 5 << 30):
            file.seek(place)
            file.write(b"data" * 2_000_000)
    (source / "sparse").chmod(0o444)
    copy_tree(source, tmp_path / "copy")
    copied = tmp_path / "copy"
    assert (copied / "one/file").stat().st_nlink == 21
    assert (copied / "again7").stat().st_ino != (source / "again7").stat().st_ino
    assert (copied / "again7").read_bytes() == b"x" * 50_000
    told = (copied / "sparse").stat()
    assert (told.st_size, told.st_mode & 0o777) == (1 << 40, 0o444)
    assert told.st_blocks <= (source / "sparse").stat().st_blocks + 64
    with open(copied / "sparse", "rb") as file:
        for place in (1 << 20, 5 << 30):
            file.seek(place - 4)
            assert file.read(12) == b"\0" * 4 + b"datadata"
            file.seek(place + 8_000_000 - 4)
            assert file.read(8) == b"data" + b"\0" * 4
