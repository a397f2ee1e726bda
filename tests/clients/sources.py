"""Trees of files, for tests, and what rig and git list of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from rig.clients.source.listing import list_source
from rig.kernel.errors import RigError


def write(root: Path, **files: str) -> None:
    """Write files; ``__`` in a name is a slash, ``_dot_`` a dot."""
    for name, text in files.items():
        put(root, name.replace("__", "/").replace("_dot_", "."), text)


def put(root: Path, name: str, text: str = "") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def git(root: Path, *arguments: str) -> bytes:
    options = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "protocol.file.allow=always"]
    return subprocess.run(["git", "-C", str(root), *options, *arguments], capture_output=True, check=True).stdout


def listed(root: Path, **options: object) -> set[bytes]:
    return {path for path, _ in list_source(str(root), **options).tree.files()}  # type: ignore[arg-type]


def git_lists(root: Path) -> set[bytes]:
    out = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-per-directory=.gitignore")
    names = {name for name in out.split(b"\0") if name}
    return {name for name in names if os.path.lexists(os.path.join(os.fsencode(root), name))}


def refused(root: Path, **options: object) -> RigError:
    with pytest.raises(RigError) as caught:
        list_source(str(root), **options)  # type: ignore[arg-type]
    return caught.value
