"""Reading a source that may be hostile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rig.kernel.errors import RigError
from rig.node.builder import tree as module
from rig.node.builder.tree import FolderTree, text


def test_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text("\ufeffhello")
    (tmp_path / "link").symlink_to("a/x.txt")
    tree = FolderTree(tmp_path)
    assert tree.names() == {"a", "link"}
    assert tree.has("a/x.txt")
    assert tree.has("./link")
    assert tree.has_folder("a")
    assert not tree.has("a")
    assert not tree.has_folder("a/x.txt")
    assert text(tree, "link") == "hello"
    assert tree.read("missing") == b""


def test_what_leads_out_is_not_there(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").write_text("secret")
    (source / "up").symlink_to("../secret")
    (source / "absolute").symlink_to(tmp_path / "secret")
    (source / "dist").symlink_to("../folder")
    (source / "loop").symlink_to("loop")
    os.mkfifo(source / "pipe")
    tree = FolderTree(source)
    for path in ("up", "absolute", "dist/index.html", "../secret", str(tmp_path / "secret"), "loop", "pipe"):
        assert not tree.has(path), path
        assert tree.read(path) == b"", path
    assert not tree.has_folder("dist")


def test_what_is_no_text_or_too_big_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Procfile").write_bytes(b"web: \xff")
    tree = FolderTree(tmp_path)
    with pytest.raises(RigError, match="`Procfile` is not UTF-8 text"):
        text(tree, "Procfile")
    monkeypatch.setattr(module, "TEXT_LIMIT", 3)
    with pytest.raises(RigError, match="`Procfile` is larger"):
        tree.read("Procfile")
