"""Which files belong to a source, and what they hold."""

from __future__ import annotations

import os
import shutil
import socket
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.clients.source import reading
from rig.clients.source.git import git_info
from rig.clients.source.listing import list_source
from rig.clients.source.repository import parse_index
from rig.contract.bundles import EXECUTABLE, FILE, SYMLINK, Limits
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from tests.clients.sources import git, git_lists, listed, put, refused, write

pytestmark = pytest.mark.usefixtures("plain_git")

LINES = st.sampled_from(
    ["a", "a/", "/a", "!a", "b", "!b", "*.x", "!a.x", "a/*", "!a/b", "**/b", "d/**", "!d/", "/*/a", "a/**/b", "[ab].x"]
)

IGNORES = st.dictionaries(st.sampled_from([".", "a", "d", "a/d"]), st.lists(LINES, max_size=4), max_size=4)

FILES = st.sets(st.sampled_from([f"{d}{f}" for d in ("", "a/", "d/", "a/d/", "d/a/b/") for f in ("a.x", "b", "c")]))


@pytest.mark.needs("git")
@given(IGNORES, FILES, st.data())
@settings(max_examples=60, deadline=None)
def test_the_list_is_that_of_git(
    tmp_path_factory: pytest.TempPathFactory, ignores: dict[str, list[str]], files: set[str], data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for name in files:
        put(root, name)
    for folder, lines in ignores.items():
        put(root, f"{folder}/.gitignore", "\n".join(lines) + "\n")
    git(root, "init", "-q")
    tracked = data.draw(st.sets(st.sampled_from(sorted(files)))) if files else set()
    if tracked:
        git(root, "add", "-f", "--", *tracked)
    for name in data.draw(st.sets(st.sampled_from(sorted(files)))) if files else set():
        (root / name).unlink()
    assert listed(root) == git_lists(root)
    if not tracked:
        shutil.rmtree(root / ".git")
        without = listed(root)
        git(root, "init", "-q")
        assert without == git_lists(root)
    shutil.rmtree(root)


@pytest.mark.needs("git")
@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_a_tracked_file_is_listed_though_it_is_ignored(tmp_path: Path, version: str) -> None:
    write(tmp_path, _dot_gitignore="build/\n*.log\n", build__kept="", build__other="", a_dot_log="", b_dot_log="")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-f", "build/kept", "a.log")
    if version == "3":
        git(tmp_path, "add", "-N", "-f", "b.log")
    git(tmp_path, "update-index", "--index-version", version)
    assert listed(tmp_path) == git_lists(tmp_path) >= {b"build/kept", b"a.log"}


@pytest.mark.needs("git")
def test_the_index_is_read_as_git_reads_it(tmp_path: Path) -> None:
    for n in range(70):
        put(tmp_path, f"{'d' * (n % 9 + 1)}/file{n}")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    expected = git(tmp_path, "ls-files", "-z").split(b"\0")[:-1]
    for version in ("2", "4"):
        git(tmp_path, "update-index", "--index-version", version)
        assert parse_index((tmp_path / ".git/index").read_bytes()) == expected


@pytest.mark.needs("git")
def test_a_split_index_is_refused_with_the_command_that_joins_it(tmp_path: Path) -> None:
    write(tmp_path, _dot_gitignore="b\n", a="", b="")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-f", "a", "b")
    git(tmp_path, "update-index", "--split-index")
    put(tmp_path, "c")
    git(tmp_path, "add", "c")
    index = (tmp_path / ".git/index").read_bytes()
    with pytest.raises(RigError) as caught:
        parse_index(index)
    assert "--no-split-index" in caught.value.hint


@pytest.mark.needs("git")
def test_submodules_and_worktrees_are_repositories_of_their_own(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    write(inner, _dot_gitignore="ignored\n", code="", ignored="")
    git(inner.parent, "init", "-q", str(inner))
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "one")
    write(outer, _dot_gitignore="code\n", main="")
    git(outer.parent, "init", "-q", str(outer))
    git(outer, "submodule", "add", "-q", str(inner), "module")
    put(outer, "module/ignored")
    assert listed(outer) == {b".gitignore", b".gitmodules", b"main", b"module/.gitignore", b"module/code"}
    git(outer, "add", "main", ".gitignore")
    git(outer, "commit", "-qm", "two")
    tree = tmp_path / "tree"
    git(outer, "worktree", "add", "-q", str(tree))
    write(tree, code="", new="")
    git(tree, "add", "-f", "code")
    assert listed(tree) == git_lists(tree) - {b"module"} == {b"main", b".gitignore", b".gitmodules", b"code", b"new"}


@pytest.mark.needs("git")
def test_a_folder_of_a_repository_follows_the_rules_above_it(tmp_path: Path) -> None:
    write(tmp_path, _dot_gitignore="*.log\n/app/out\n/dist\n", app__a_dot_log="", app__out="", app__x="", dist__js="")
    git(tmp_path, "init", "-q")
    assert listed(tmp_path / "app") == git_lists(tmp_path / "app") == {b"x"}
    assert listed(tmp_path / "dist") == {b"js"}, "a folder that was named is not excluded by the rules above it"


def test_rigignore_excludes_more_and_brings_back(tmp_path: Path) -> None:
    write(tmp_path, _dot_gitignore="dist/\n", dist__app_dot_js="", docs__a="", docs__b="", main="")
    write(tmp_path, _dot_rigignore="!dist/\ndocs/*\n", docs___dot_rigignore="!b\n")
    assert listed(tmp_path) == {b".gitignore", b".rigignore", b"dist/app.js", b"docs/b", b"main"}


def test_what_is_never_listed(tmp_path: Path) -> None:
    write(tmp_path, main="", _dot_rig__state="", sub___dot_git__x="", sub__y="")
    (tmp_path / "empty/folder").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        os.mkfifo(tmp_path / "pipe")
        listing = list_source(str(tmp_path))
    assert {path for path, _ in listing.tree.files()} == {b"main", b"sub/y"}
    assert sorted(listing.warnings) == ["`pipe` is no file, and is left out.", "`socket` is no file, and is left out."]


def test_modes_symlinks_and_odd_names(tmp_path: Path) -> None:
    put(tmp_path, "run", "#!/bin/sh").chmod(0o755)
    put(tmp_path, "plain", "text").chmod(0o664)
    put(tmp_path, "lib/a b\n\\")
    (tmp_path / "lib/up").symlink_to("../run")
    (tmp_path / "dangling").symlink_to("nowhere/at/all")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")).write_bytes(b"bytes")
    found = dict(list_source(str(tmp_path)).tree.files())
    assert {path: entry.mode for path, entry in found.items()} == {
        b"run": EXECUTABLE,
        b"plain": FILE,
        b"lib/a b\n\\": FILE,
        b"lib/up": SYMLINK,
        b"dangling": SYMLINK,
        b"\xff\xfe": FILE,
    }
    assert found[b"lib/up"].digest == sha256(b"../run").digest()
    assert found[b"plain"].digest == sha256(b"text").digest()


def test_the_id_is_the_same_wherever_the_tree_lies(tmp_path: Path) -> None:
    for place in ("one", "two/deeper"):
        write(tmp_path / place, b__y="2", a="1")
    first, second = list_source(str(tmp_path / "one")), list_source(str(tmp_path / "two/deeper"))
    assert first.tree == second.tree
    put(tmp_path, "one/a", "changed")
    assert list_source(str(tmp_path / "one")).tree.root != second.tree.root


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "a/../../outside", "sub/.."])
def test_a_symlink_that_leaves_is_refused_by_name(tmp_path: Path, target: str) -> None:
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "other").symlink_to("/")
    error = refused(tmp_path)
    assert error.code == "invalid_data"
    assert "`link`" in error.message
    assert "`other`" in error.message


def test_limits_name_the_largest_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "small", "x")
    put(tmp_path, "video/large.mp4", "x" * 1000)
    monkeypatch.setattr(reading, "READ_FLAGS", None)
    error = refused(tmp_path, limits=Limits(bytes=500))
    assert error.code == "too_large"
    assert error.details["largest"][0] == {"path": "video/large.mp4", "bytes": 1000}
    assert refused(tmp_path, limits=Limits(files=1)).details == {"files": 2, "limit": 1}
    assert "deep" in refused(tmp_path, limits=Limits(depth=0)).message
    assert "bytes" in refused(tmp_path, limits=Limits(path=10)).message


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "none").code == "not_found"


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "locked").chmod(0)
    if os.geteuid() == 0:  # who may read everything

        def denied(path: bytes, flags: int) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("rig.clients.source.reading.os.open", denied)
    error = refused(tmp_path)
    assert error.code == "failed"
    assert "locked" in error.message


def test_a_large_file_is_hashed_in_pieces(tmp_path: Path) -> None:
    content = os.urandom(3 * reading.CHUNK + 17)
    (tmp_path / "large").write_bytes(content)
    ((_, entry),) = list_source(str(tmp_path)).tree.files()
    assert (entry.size, entry.digest) == (len(content), sha256(content).digest())


@pytest.mark.needs("git")
def test_where_the_source_came_from(tmp_path: Path) -> None:
    assert git_info(str(tmp_path)).commit == ""
    write(tmp_path, app__main="1", other="1")
    git(tmp_path, "init", "-q", "-b", "trunk")
    assert git_info(str(tmp_path)).commit == ""
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "First line\n\nmore")
    info = git_info(str(tmp_path / "app"))
    assert info.commit == git(tmp_path, "rev-parse", "HEAD").decode().strip()
    assert (info.branch, info.subject, info.dirty) == ("trunk", "First line", False)
    seconds = int(git(tmp_path, "log", "-1", "--format=%ct"))
    assert info.committed_at == rfc3339(seconds * 1_000_000_000)
    put(tmp_path, "other", "2")
    assert not git_info(str(tmp_path / "app")).dirty
    put(tmp_path, "app/new")
    assert git_info(str(tmp_path / "app")).dirty


def test_without_git_there_is_nothing_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_info(str(tmp_path)).commit == ""
