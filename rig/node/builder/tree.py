"""Reading the source that is to be built, which may be anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from rig.kernel.errors import RigError
from rig.kernel.toml import loads

TEXT_LIMIT = 16 * 1024 * 1024
"""Bytes of one file that a builder reads: a lock file of a big project has some megabytes."""


class Tree(Protocol):
    """The files of a source, by their path with ``/`` relative to it."""

    def has(self, path: str) -> bool:
        """Whether there is a regular file."""
        ...

    def has_folder(self, path: str) -> bool: ...

    def read(self, path: str) -> bytes:
        """Its content; empty where there is none. Raises `RigError` ``build_failed`` where it is too big."""
        ...

    def names(self) -> frozenset[str]:
        """What lies at the top, files and folders."""
        ...


def text(tree: Tree, path: str) -> str:
    """A file as text. Raises `RigError` ``build_failed`` where it is not UTF-8."""
    try:
        return tree.read(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RigError(
            "build_failed", f"`{path}` is not UTF-8 text (byte {error.start}).", f"Save `{path}` as UTF-8."
        ) from error


def pyproject(tree: Tree) -> dict[str, Any]:
    """`pyproject.toml`; empty where there is none. Raises `RigError` ``build_failed`` where it cannot be read."""
    if not tree.has("pyproject.toml"):
        return {}
    said = text(tree, "pyproject.toml")
    try:
        return loads(said)
    except (ValueError, RecursionError) as error:
        raise RigError("build_failed", f"`pyproject.toml` is no TOML: {error}.", "Mend `pyproject.toml`.") from error


class FolderTree:
    """A source on disk. A link that leads out of it is as if it were not there."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)

    def has(self, path: str) -> bool:
        return self._find(path) is not None

    def has_folder(self, path: str) -> bool:
        return self._find(path, stat.S_ISDIR) is not None

    def read(self, path: str) -> bytes:
        found = self._find(path)
        if found is None:
            return b""
        # O_NOFOLLOW: what was resolved a moment ago must not become a link now.
        fd = os.open(found, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            data = file.read(TEXT_LIMIT + 1)
        if len(data) > TEXT_LIMIT:
            raise RigError(
                "build_failed", f"`{path}` is larger than {TEXT_LIMIT // 1024 // 1024} MiB.", "Make it smaller."
            )
        return data

    def names(self) -> frozenset[str]:
        return frozenset(os.listdir(self._root))

    def _find(self, path: str, kind: Callable[[int], bool] = stat.S_ISREG) -> str | None:
        full = os.path.realpath(os.path.join(self._root, path))
        if os.path.commonpath((full, self._root)) != self._root:
            return None
        try:
            mode = os.stat(full).st_mode
        except OSError:
            return None
        return full if kind(mode) else None
