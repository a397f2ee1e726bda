"""How a process is recognised: by pid *and* start time, since pids are used again. Stdlib only: shims import it."""

from __future__ import annotations

import sys


def start_time(pid: int) -> int:
    """When the process began, in a unit of the platform's own; 0 where it does not run, or is a zombie.

    One that is being killed runs until its last thread has ended: until then it has its ports and locks.

    Linux: clock ticks since boot, field 22 of ``/proc/PID/stat`` (proc_pid_stat(5)). Elsewhere: milliseconds since the
    epoch, from psutil. Only good for comparing with another value of this function on the same machine and boot.
    """
    if pid <= 0:
        return 0
    return _linux(pid) if sys.platform == "linux" else _psutil(pid)


def alive(pid: int, started: int) -> bool:
    """Whether the process that had this pid and start time still runs."""
    return started != 0 and start_time(pid) == started


def _linux(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    _, _, started, over = parse_stat(stat)
    return 0 if over else started


def parse_stat(line: bytes) -> tuple[int, int, int, bool]:
    """Parent's pid, session, start time and whether it is over (a zombie), of ``/proc/PID/stat`` (proc_pid_stat(5))."""
    # The second field is the program's name in parentheses; it may hold spaces and parentheses of its own.
    fields = line[line.rindex(b")") + 2 :].split()
    # The state is that of the main thread alone; field 20 counts those that have not ended, a zombie's own with them.
    over = fields[0] in (b"Z", b"X") and int(fields[17]) <= 1
    return int(fields[1]), int(fields[3]), int(fields[19]), over


def _psutil(pid: int) -> int:
    try:
        import psutil  # type: ignore[import-untyped]
    except ImportError:
        # A client without the node's extra: it cannot be told.
        return 0
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return 0
        return int(process.create_time() * 1000)
    except psutil.NoSuchProcess:
        return 0
