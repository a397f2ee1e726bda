"""Trees that were made to stay."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rig.node.runtime import removal
from rig.node.runtime.removal import remove_tree

NOBODY = 65534


def test_nothing_is_removed_where_nothing_is(tmp_path: Path) -> None:
    remove_tree(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_a_tree_deeper_than_the_stack_and_the_descriptors(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    deep = f"import os\nfor _ in range({sys.getrecursionlimit() * 3}): os.mkdir('d'); os.chdir('d')"
    subprocess.run([sys.executable, "-c", deep], cwd=top, check=True)
    remove_tree(top)
    assert not top.exists()


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("here")
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(kept)
    remove_tree(top)
    assert (kept / "file").read_text() == "here"
    (tmp_path / "link").symlink_to(kept)
    remove_tree(tmp_path / "link")
    assert (kept / "file").read_text() == "here"


def test_folders_without_permissions_do_not_stay() -> None:
    """As a user who is not root, whom permissions hold back."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name) / "top"
        (top / "closed" / "inner").mkdir(parents=True)
        (top / "closed" / "inner" / "file").write_text("x")
        if os.geteuid() == 0:
            for path in (Path(name), top, *top.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        (top / "closed" / "inner").chmod(0o500)
        (top / "closed").chmod(0)
        child = os.fork()
        if not child:
            try:
                if os.geteuid() == 0:
                    os.setresuid(NOBODY, NOBODY, NOBODY)
                remove_tree(top)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert not top.exists()


def test_what_stays_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_REMOVE", ("/bin/true",))
    with pytest.raises(OSError, match="cannot be removed") as raised:
        remove_tree(tmp_path)
    assert raised.value.errno == errno.ENOTEMPTY
