"""Memory limits, by cgroup v2 (Linux, Documentation/admin-guide/cgroup-v2.rst). Enforced or refused, never ignored."""

from __future__ import annotations

import os
from pathlib import Path

from rig.kernel.errors import RigError

ROOT = Path("/sys/fs/cgroup")


class MemoryLimiter:
    """Makes one group per run. ``root`` is where cgroup v2 is mounted, ``own`` the group of the node itself."""

    def __init__(self, root: Path = ROOT, own: str | None = None) -> None:
        self._root = root
        self._own = _own_group() if own is None else own

    def problem(self) -> str:
        """Why memory cannot be limited here; empty where it can."""
        if not (self._root / "cgroup.controllers").exists():
            return "this machine has no cgroup v2"
        if "memory" not in (self._root / "cgroup.controllers").read_text().split():
            return "cgroup v2 has no memory controller on this machine"
        parent = self._parent()
        if not os.access(parent, os.W_OK):
            return f"the node may not make groups in {parent}"
        if "memory" not in (parent / "cgroup.subtree_control").read_text().split() and not self._is_root(parent):
            return f"the memory controller is not delegated to {parent}"
        return ""

    def create(self, run: str, memory: int) -> Path:
        """The group of one run, limited to ``memory`` bytes, swap included. Raises `RigError` ``bad_config``."""
        problem = self.problem()
        if problem:
            raise RigError(
                "bad_config",
                f"A memory limit cannot be enforced: {problem}.",
                "Remove `memory` from rig.toml, or run the node as a systemd service with Delegate=yes.",
            )
        parent = self._parent()
        if self._is_root(parent):
            (parent / "cgroup.subtree_control").write_text("+memory")
        group = parent / f"rig-{run}"
        group.mkdir()
        if not (group / "memory.max").exists():
            group.rmdir()
            raise RigError("bad_config", "A memory limit cannot be enforced: the kernel offers none for a new group.")
        # The group dies as a whole: half an app after an out-of-memory kill is worse than a restart.
        for name, value in (("memory.max", str(memory)), ("memory.swap.max", "0"), ("memory.oom.group", "1")):
            if (group / name).exists():
                (group / name).write_text(value)
        return group

    def remove(self, run: str) -> None:
        """Remove the group of a run whose processes are all gone; nothing where there is none."""
        group = self._parent() / f"rig-{run}"
        if group.is_dir():
            group.rmdir()

    def _parent(self) -> Path:
        """Beside the node's own group, which holds processes and so can have no controlled groups below itself."""
        return (self._root / self._own.lstrip("/")).parent if self._own.strip("/") else self._root

    def _is_root(self, parent: Path) -> bool:
        return parent == self._root and os.access(parent / "cgroup.subtree_control", os.W_OK)


def _own_group() -> str:
    """The node's group, as ``/user.slice/…``: the line ``0::PATH`` of /proc/self/cgroup."""
    path = Path("/proc/self/cgroup")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line[3:] for line in lines if line.startswith("0::")), "/")
