"""The build of one app, copied to another one: what a promotion starts is what ran before, and nothing is shared.

An isolated process finds a build at the same places in every app, so the copy is exact. Without isolation the app's
folder is part of the places that its build has noted: virtual environments, links, what bundlers write. There the copy
says the other folder instead, in links and in files of text; of what is no text Python's caches mend themselves, and
nothing else that pip or npm install has an absolute path in it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec

from rig.node.builder.layers import complete, seal
from rig.node.builder.model import Build, BuildMount, BuildPaths, relative_mount
from rig.node.builder.workbench import APP
from rig.node.runtime.driver import Driver
from rig.node.runtime.removal import remove_tree

TEXT_LIMIT = 8 << 20
"""Bytes of the largest file in which places are looked for."""

BLOCK = 512
"""Bytes of which stat(2) counts the blocks."""
CHUNK = 1 << 20

Swaps = Sequence[tuple[str, str]]
"""Folder → folder, each with a slash behind it, the longer one first."""


def copy_build(build: Build, source: BuildPaths, target: BuildPaths, driver: Driver, owner: str) -> Build:
    """Copy a complete build with the layers it runs on; gives it as it is there. Its record is left to be written.

    ``owner`` is the app that gets it. What an earlier try left is removed. The log stays where it is: who may read the
    one app may not know the other. Raises `OSError`.
    """
    swaps = () if driver.place(target.source, APP) == build.place else _swaps(source, target)
    remove_tree(target.root)
    target.root.mkdir(parents=True, mode=0o700)
    target.layers.mkdir(parents=True, exist_ok=True, mode=0o700)
    for made in (source.source, source.site, source.caddyfile):
        if made.exists():
            _copy(made, target.root / made.name, swaps, driver, owner)
    layers = [mount for mount in build.mounts if _is_layer(mount, source)]
    for mount in layers:
        layer = target.app_dir / mount.source
        if not complete(layer):
            remove_tree(layer)
            _copy(source.app_dir / mount.source, layer, swaps, driver, owner)
            seal(layer)
    os.sync()  # the record that follows vouches for all of it
    return msgspec.structs.replace(
        build,
        id=target.id,
        place=driver.place(target.source, APP),
        mounts=tuple(_moved_mount(mount, source, target, swaps) for mount in build.mounts),
        path=tuple(_moved(place, swaps) for place in build.path),
        env={name: _moved(value, swaps) for name, value in build.env.items()},
        layers=tuple(Path(mount.source).name for mount in layers),
    )


def copy_tree(source: Path, target: Path, swaps: Swaps = ()) -> None:
    """Copy a folder, with modes and times; links stay links, also those between its files, and holes stay holes.

    It takes no more room than the source does. Sockets and devices are left out: what listened is gone, and a device
    may have no end. ``target`` must not exist. Raises `OSError`.
    """
    folders = []
    linked: dict[tuple[int, int], str] = {}
    waiting = [(os.fspath(source), os.fspath(target))]
    while waiting:
        here, there = waiting.pop()
        folders.append((here, there))
        os.mkdir(there, 0o700)
        with os.scandir(here) as entries:
            for entry in entries:
                copied = os.path.join(there, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, copied))
                elif entry.is_symlink():
                    os.symlink(_moved(os.readlink(entry.path), swaps), copied)
                else:
                    _copy_entry(entry, copied, swaps, linked)
    for here, there in reversed(folders):  # a folder that nobody may write to is so when it is full
        shutil.copystat(here, there)


def _copy_entry(entry: os.DirEntry[str], target: str, swaps: Swaps, linked: dict[tuple[int, int], str]) -> None:
    """Copy what is neither folder nor symlink. ``linked``: where the files that have several names were copied to."""
    told = entry.stat(follow_symlinks=False)
    if stat.S_ISFIFO(told.st_mode):
        os.mkfifo(target)
        shutil.copystat(entry.path, target)
    elif stat.S_ISREG(told.st_mode):
        first = linked.setdefault((told.st_dev, told.st_ino), target) if told.st_nlink > 1 else target
        if first == target:
            _copy_file(entry.path, target, swaps)
        else:
            os.link(first, target)


def _copy_file(source: str, target: str, swaps: Swaps) -> None:
    if os.stat(source).st_blocks * BLOCK < os.path.getsize(source):
        _copy_sparse(source, target)
    else:
        shutil.copyfile(source, target)
    if swaps and os.path.getsize(target) <= TEXT_LIMIT:
        with open(target, "rb+") as file:
            data = file.read()
            moved = _moved_bytes(data, swaps)
            if moved != data:
                file.seek(0)
                file.truncate()
                file.write(moved)
    shutil.copystat(source, target)


def _copy_sparse(source: str, target: str) -> None:
    """Copy a file with holes, which may be announced to be of any size."""
    with open(source, "rb") as file, open(target, "xb") as copy:
        end = copy.truncate(os.fstat(file.fileno()).st_size)
        begin = 0
        while (begin := _next(file.fileno(), begin, os.SEEK_DATA, end)) < end:
            until = _next(file.fileno(), begin, os.SEEK_HOLE, end)
            file.seek(begin)
            copy.seek(begin)
            while begin < until and (data := file.read(min(CHUNK, until - begin))):
                copy.write(data)
                begin += len(data)


def _next(fd: int, begin: int, what: int, end: int) -> int:
    """Where the next data or hole is; ``end`` where there is none, or where the file system does not tell holes."""
    try:
        return min(os.lseek(fd, begin, what), end)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return end


def _copy(source: Path, target: Path, swaps: Swaps, driver: Driver, owner: str) -> None:
    if source.is_dir():
        copy_tree(source, target, swaps)
    else:
        _copy_file(os.fspath(source), os.fspath(target), swaps)
    driver.give(target, owner)


def _swaps(source: BuildPaths, target: BuildPaths) -> Swaps:
    return ((f"{source.root}/", f"{target.root}/"), (f"{source.app_dir}/", f"{target.app_dir}/"))


def _moved(text: str, swaps: Swaps) -> str:
    for old, new in swaps:
        text = text.replace(old, new)
    return text


def _moved_bytes(data: bytes, swaps: Swaps) -> bytes:
    if b"\0" in data:
        return data
    for old, new in swaps:
        data = data.replace(old.encode(), new.encode())
    return data


def _is_layer(mount: BuildMount, source: BuildPaths) -> bool:
    return (source.app_dir / mount.source).parent == source.layers


def _moved_mount(mount: BuildMount, source: BuildPaths, target: BuildPaths, swaps: Swaps) -> BuildMount:
    host, inside = source.app_dir / mount.source, _moved(mount.inside, swaps)
    if not host.is_relative_to(source.root):
        return BuildMount(source=mount.source, inside=inside)
    return relative_mount(target.root / host.relative_to(source.root), inside, target)
