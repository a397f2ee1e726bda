"""Private files: made with mode 0600 in folders of mode 0700, replaced as a whole, locked between processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rig.kernel.errors import RigError

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "davfs2", "fuse.ceph", "fuse.davfs", "fuse.glusterfs",
        "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2",
        "orangefs", "smb2", "smb3", "smbfs",
    }
)  # fmt: skip
"""Types as /proc/self/mountinfo prints them. Their locks do not reach every client, and a journal without locks loses
records. (9p is not among them: sandboxes serve local disks through it.)"""


_BINARY = getattr(os, "O_BINARY", 0)
"""Without it Windows translates line ends, and a signed note would be another one."""


def create_private(path: str) -> None:
    """Make an empty file of mode 0600 unless it is there. Raises `RigError` where it is a link or not a plain file."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    refuse_link(path)
    os.close(os.open(path, flags, 0o600))


def refuse_link(path: str) -> None:
    """A journal is never reached through a link: whoever can place one could lead it elsewhere."""
    import stat

    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a plain file"
        raise RigError(
            "journal_unavailable",
            f"{path} is {kind}, and the journal is kept in plain files only.",
            f"Look where it leads with `ls -l {path}`; to move the journal, move its whole folder and set RIG_HOME.",
            path=path,
            finding="UNREADABLE",
        )


def refuse_network_file_system(path: str) -> None:
    """Raise `RigError` where ``path`` is on a file system of another machine. It can be told on Linux only."""
    kind = file_system_type(path)
    if kind in NETWORK_FILE_SYSTEMS:
        raise RigError(
            "journal_unavailable",
            f"{os.path.dirname(path)} is on a network file system ({kind}), whose locks cannot be relied on.",
            "Set RIG_HOME to a folder on a local disk.",
        )


def file_system_type(path: str, mountinfo: str = "/proc/self/mountinfo") -> str:
    """The type of the file system that ``path`` is on, as ``ext4``; empty where it cannot be told."""
    try:
        with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return ""
    real = os.path.realpath(path)
    best, kind = -1, ""
    for line in lines:
        # proc(5): 36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        mount = fields[4]
        for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
            mount = mount.replace(code, char)
        # A later mount hides an earlier one on the same point.
        if (real == mount or real.startswith(mount.rstrip("/") + "/")) and len(mount) >= best:
            best, kind = len(mount), after.split(" ", 1)[0]
    return kind


def write_private(path: str, data: bytes) -> None:
    """Write a new file of mode 0600 and bring it to the disk. Raises `OSError`; an existing file is an error."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def lock(path: str) -> Iterator[None]:
    """Hold the lock file ``path``: one process, and one thread of it, at a time. The kernel lets go of it at death."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
