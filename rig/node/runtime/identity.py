"""Who is who among the processes of this machine. Stdlib only: the shim uses it.

A pid alone names nobody, since it is given to somebody else sooner or later. A pid with its start time does.
"""

from __future__ import annotations

import os
import sys

from rig.kernel.processes import parse_stat

LINUX = sys.platform == "linux"

Process = tuple[int, int, int, bool]
"""Parent's pid, session (elsewhere than on Linux: process group), start time, whether it is a zombie."""


def boot_id() -> str:
    """What changes with every start of the machine; empty where start times are absolute, as on macOS."""
    if not LINUX:
        return ""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def find(pid: int) -> Process | None:
    """The process with this pid. Start times are clock ticks since boot (Linux: proc(5), field 22) or epoch seconds."""
    if not LINUX:
        return _ps(pid).get(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return parse_stat(file.read())
    except (FileNotFoundError, ProcessLookupError):
        return None


def started(pid: int) -> int:
    """Start time of a process, 0 where there is none or it is a zombie."""
    process = find(pid)
    return 0 if process is None or process[3] else process[2]


def same(pid: int, start: int) -> bool:
    """Whether the process that had this pid and start time still runs."""
    return pid > 0 and start > 0 and started(pid) == start


def table() -> dict[int, Process]:
    """All processes."""
    if not LINUX:
        return _ps(0)
    processes = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := find(int(name))) is not None:
            processes[int(name)] = process
    return processes


def descendants(root: int) -> list[int]:
    """Pids of everything below ``root``, parents first, zombies left out."""
    return below(root, children())


Children = dict[int, list[tuple[int, bool]]]
"""By pid: those of its children, each with whether it is a zombie."""


def children() -> Children:
    """Who is whose parent, of all processes."""
    found: Children = {}
    for pid, (parent, _, _, zombie) in table().items():
        found.setdefault(parent, []).append((pid, zombie))
    return found


def below(root: int, of: Children) -> list[int]:
    """As :func:`descendants`, for more than one root at the same moment."""
    found = [(root, True)]
    for pid, _ in found:
        found.extend(of.get(pid, ()))
    return [pid for pid, zombie in found if not zombie]


def session(leader: int, start: int) -> list[int]:
    """Pids of the session that ``leader``, who started at ``start``, made; the leader itself may be gone.

    The kernel gives a pid to nobody while a session of that number has members. So a leader with another start time
    means that the number is somebody else's now, and the answer is empty.
    """
    if not leader:
        return []
    processes = table()
    present = processes.get(leader)
    if present is not None and present[2] != start:
        return []
    return [
        pid for pid, process in processes.items() if process[1] == leader and process[2] >= start and not process[3]
    ]


def _ps(pid: int) -> dict[int, Process]:
    import subprocess
    import time

    which = ["-p", str(pid)] if pid else ["-ax"]
    argv = ["ps", *which, "-o", "pid=,ppid=,pgid=,stat=,lstart="]
    output = subprocess.run(argv, env={"PATH": "/bin:/usr/bin", "LC_ALL": "C"}, capture_output=True, text=True).stdout  # noqa: PLW1510
    processes = {}
    for line in output.splitlines():
        number, parent, group, state, start = line.split(None, 4)
        begun = int(time.mktime(time.strptime(start.strip())))
        processes[int(number)] = (int(parent), int(group), begun, state.startswith("Z"))
    return processes
