"""A disk that forgets: what a loss of power may leave of everything that SQLite wrote, at any moment.

A VFS (sqlite.org/vfs.html) is laid over SQLite's own, by ctypes, in the library that Python's sqlite3 uses. It notes
every write, truncation, sync and deletion. From the notes the files can be put together as a disk may have them that
lost its power after any of them: what was synced is there; of what came after, any part may be there, torn at
boundaries of 512 bytes, or not.

It takes a deletion, and the name of a new file, to be durable at once, and believes a disk that says it has synced.
"""

from __future__ import annotations

import ctypes
import random
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path
from typing import Any, NamedTuple

SECTOR = 512
SQLITE_OK = 0

WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
SYNC = CFUNCTYPE(c_int, c_void_p, c_int)
OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
DELETE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
"""Names are bare pointers: SQLite goes on using the very memory that it passed."""


class Methods(Structure):
    """``sqlite3_io_methods``; what is passed through stays a bare pointer."""

    _fields_ = [
        ("version", c_int),
        ("close", c_void_p),
        ("read", c_void_p),
        ("write", c_void_p),
        ("truncate", c_void_p),
        ("sync", c_void_p),
        *((f"rest{number}", c_void_p) for number in range(16)),
    ]


class File(Structure):
    """The beginning of every ``sqlite3_file``."""

    _fields_ = [("methods", POINTER(Methods))]


class Vfs(Structure):
    """``sqlite3_vfs``."""

    _fields_ = [
        ("version", c_int),
        ("size_of_file", c_int),
        ("max_pathname", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", c_void_p),
        ("delete", c_void_p),
        *((f"rest{number}", c_void_p) for number in range(16)),
    ]


class Op(NamedTuple):
    """Something that reached the operating system. ``at`` and ``data`` belong to a write, ``at`` to a truncation."""

    kind: str
    path: str
    at: int = 0
    data: bytes = b""


def library() -> Any:
    """The SQLite that the sqlite3 module was linked to; None where it cannot be reached from outside."""
    import _sqlite3

    try:
        found = ctypes.CDLL(_sqlite3.__file__)
        found.sqlite3_vfs_find.restype = POINTER(Vfs)
        return found
    except (AttributeError, OSError):
        return None


class ForgetfulDisk:
    """While it is there, connections of this process are opened through it. A context manager."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self._sqlite = library()
        base = self._sqlite.sqlite3_vfs_find(None)
        self._base = base
        # The copies live as long as this object, and so do the functions that SQLite calls.
        self._vfs = Vfs.from_buffer_copy(base.contents)
        self._vfs.name = b"forgetful"
        self._kept: dict[int, Methods] = {}
        self._paths: dict[int, str] = {}
        self._open = OPEN(base.contents.open)
        self._callbacks = [OPEN(self._on_open), DELETE(self._on_delete)]
        self._delete = DELETE(base.contents.delete)
        self._vfs.open = ctypes.cast(self._callbacks[0], c_void_p)
        self._vfs.delete = ctypes.cast(self._callbacks[1], c_void_p)

    def __enter__(self) -> ForgetfulDisk:
        assert self._sqlite.sqlite3_vfs_register(ctypes.byref(self._vfs), c_int(1)) == SQLITE_OK
        return self

    def __exit__(self, *_: object) -> None:
        self._sqlite.sqlite3_vfs_unregister(ctypes.byref(self._vfs))
        self._sqlite.sqlite3_vfs_register(self._base, c_int(1))

    def _on_open(self, vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        code = int(self._open(vfs, name, file, flags, out))
        found = File.from_address(file)
        if code == SQLITE_OK and name is not None and found.methods:
            self._paths[file] = ctypes.string_at(name).decode()
            found.methods = ctypes.pointer(self._methods(found.methods))
        return code

    def _methods(self, original: Any) -> Methods:
        """The methods of a file, with those that change it noted on the way."""
        address = ctypes.addressof(original.contents)
        if address not in self._kept:
            made = Methods.from_buffer_copy(original.contents)
            write, truncate, sync = WRITE(made.write), TRUNCATE(made.truncate), SYNC(made.sync)

            def on_write(file: int, data: int, count: int, at: int) -> int:
                self.ops.append(Op("write", self._paths[file], at, ctypes.string_at(data, count)))
                return int(write(file, data, count, at))

            def on_truncate(file: int, size: int) -> int:
                self.ops.append(Op("truncate", self._paths[file], size))
                return int(truncate(file, size))

            def on_sync(file: int, flags: int) -> int:
                code = int(sync(file, flags))
                self.ops.append(Op("sync", self._paths[file]))
                return code

            callbacks = [WRITE(on_write), TRUNCATE(on_truncate), SYNC(on_sync)]
            self._callbacks += callbacks
            made.write, made.truncate, made.sync = (ctypes.cast(each, c_void_p) for each in callbacks)
            self._kept[address] = made
        return self._kept[address]

    def _on_delete(self, vfs: int, name: int, sync_folder: int) -> int:
        code = int(self._delete(vfs, name, sync_folder))
        self.ops.append(Op("delete", ctypes.string_at(name).decode()))
        return code


class Disk:
    """Files as they are on the disk for certain, and what was written to them since, which may be there or not."""

    def __init__(self, folder: Path) -> None:
        self.files = {str(path): bytearray(path.read_bytes()) for path in folder.iterdir() if path.is_file()}
        self.unsynced: dict[str, list[Op]] = {}

    def apply(self, op: Op) -> None:
        if op.kind == "sync":
            content = self.files.setdefault(op.path, bytearray())
            for pending in self.unsynced.pop(op.path, []):
                change(content, pending)
        elif op.kind == "delete":
            self.files.pop(op.path, None)
            self.unsynced.pop(op.path, None)
        else:
            self.unsynced.setdefault(op.path, []).append(op)

    def after_power_loss(self, chance: random.Random) -> dict[str, bytes]:
        """One of the states that the disk may be found in."""
        found = {path: bytearray(content) for path, content in self.files.items()}
        for path, ops in self.unsynced.items():
            content = found.setdefault(path, bytearray())
            kept = chance.choice(("none", "all", "some"))
            for op in ops:
                if kept == "all" or (kept == "some" and chance.random() < 0.5):
                    change(content, torn(op, chance) if kept == "some" else op)
        return {path: bytes(content) for path, content in found.items()}


def torn(op: Op, chance: random.Random) -> Op:
    """A write of which the disk has the first sectors only."""
    sectors = len(op.data) // SECTOR
    if op.kind != "write" or sectors < 2 or chance.random() < 0.5:
        return op
    return op._replace(data=op.data[: chance.randrange(1, sectors) * SECTOR])


def change(content: bytearray, op: Op) -> None:
    if op.kind == "truncate":
        del content[op.at :]
        return
    if len(content) < op.at:
        content.extend(bytes(op.at - len(content)))
    content[op.at : op.at + len(op.data)] = op.data
