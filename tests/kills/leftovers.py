"""What a kill must not leave behind: processes, files, changes without an end, a journal that does not verify."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import msgspec

from rig.node.edge.caddy import EdgeRecord
from rig.node.edge.slots import SLOTS
from rig.node.runtime import identity
from rig.node.supervisor.model import load
from storage.pin import Pin
from storage.verify import verify
from tests.support import below, matching

SHIM = "runtime/shim.py"


def processes(home: Path) -> dict[int, str]:
    """The processes that have to do with this home, and what each is: pid → command line."""
    return {pid: _command(pid) for pid in identity.table() if _belongs(pid, str(home)) and not _is_client(pid)}


def _belongs(pid: int, home: str) -> bool:
    """Whether a process was told of the home, stands in it, has a file of it open, or sees a folder of it."""
    process = Path("/proc") / str(pid)
    try:
        links = [process / "cwd", *(process / "fd").iterdir()]
        told = home in _command(pid) or home in (process / "mountinfo").read_text()
        return told or any(str(link.readlink()).startswith(home) for link in links)
    except OSError:
        return False  # it has ended, or is somebody else's


def _command(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _is_client(pid: int) -> bool:
    """Whether it is a `rig` command that a test has started, or the test itself."""
    return pid == os.getpid() or "/rig " in _command(pid)


def strays(home: Path) -> list[str]:
    """Command lines of processes that belong to no instance, and are neither the node nor its edge."""
    found = processes(home)
    runs = [record.run for folder in _instances(home) if (record := load(folder)) is not None]
    shims = [pid for pid, command in found.items() if SHIM in command and any(run in command for run in runs)]
    known = {below for shim in shims for below in (shim, *identity.descendants(shim))}
    node = [pid for pid, command in found.items() if "-m rig.node" in command]
    edge = [pid for pid in found if pid == edge_of(home).pid]
    return [f"{pid} {command}" for pid, command in found.items() if pid not in {*known, *node[:1], *edge}]


def leftovers(home: Path) -> list[str]:
    """Files and folders of something that was begun and never ended, but for those that the next write removes."""
    node = home / "node"
    unfinished = [path for path in below(home) if path.suffix in {".partial", ".running", ".new", ".shadow"}]
    stores = [path for kind in ("tmp", "partial") for path in matching(node, f"networks/*/store/{kind}/*")]
    builds = [
        path
        for folder in matching(node, "networks/*/apps/*/builds/*")
        for path in (folder / "steps", folder / "tmp", folder / "home")
        if path.exists()
    ]
    instances = [folder for folder in _instances(home) if (record := load(folder)) is None or not record.committed]
    runs = [
        path
        for folder in _instances(home)
        for path in matching(folder, "*")
        if path.is_dir() and (record := load(folder)) is not None and path.name != record.run
    ]
    wanted = {str(slot.id) for slot in edge_of(home).slots}
    slots = [path for path in (node / "edge" / SLOTS).iterdir() if path.name not in wanted]
    return [str(path) for path in (*unfinished, *stores, *builds, *instances, *runs, *slots)]


def _instances(home: Path) -> list[Path]:
    return matching(home, "node/networks/*/apps/*/run/*")


def edge_of(home: Path) -> EdgeRecord:
    return msgspec.json.decode((home / "node" / "edge" / "edge.json").read_bytes(), type=EdgeRecord)


def open_changes(home: Path) -> list[str]:
    """Intents on the client's record whose end is not known there."""
    with sqlite3.connect(home / "journal.sqlite") as connection:
        rows = connection.execute("SELECT body FROM outbox WHERE state IN ('pending', 'unknown')").fetchall()
    connection.close()
    return [body for (body,) in rows]


def broken_journals(home: Path) -> list[str]:
    """What verification has against the journals of the client and of the node."""
    found = []
    for path, name in ((home / "journal.sqlite", "client"), (home / "node" / "journal.sqlite", "node")):
        report = verify(str(path), str(path.with_suffix(".key")), Pin(str(path.parent / "pins"), name))
        if report.verdict != "verified":
            found.append(f"{path}: {report.verdict}, {report.findings}")
    return found
