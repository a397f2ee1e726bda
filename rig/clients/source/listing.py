"""The source as a tree: what git would see, hashed, with as little reading as can be."""

from __future__ import annotations

import os
import stat as st
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from rig.clients.source.reading import CHUNK, Gone, hash_file, read_link
from rig.clients.source.secrets import holds_secret, looks_secret, refuse_secrets
from rig.clients.source.statcache import Record, Stat, StatCache, at_rest, decode_stats, encode_stats, unsettled
from rig.clients.source.tree import Tree, show
from rig.clients.source.walk import Folder, Walk
from rig.contract.bundles import (
    DIRECTORY,
    DIRECTORY_MAX,
    EXECUTABLE,
    FILE,
    HEADER,
    SYMLINK,
    BundleError,
    Entry,
    Limits,
    directory_id,
    encode_directory,
    entries_of,
    symlink_climb,
)
from rig.kernel.errors import RigError
from rig.kernel.ports import Progress
from rig.kernel.words import some_of

_THREADS = 2
"""For large files; small ones cost more to hand over than to hash."""


class Listing(NamedTuple):
    """A source folder, ready to be sent."""

    root: bytes
    """The folder, as an absolute path."""
    tree: Tree
    files: int
    """Files and symlinks."""
    bytes: int
    """Sum of their sizes."""
    warnings: tuple[str, ...]
    cache: StatCache


def list_source(
    root: str,
    *,
    cache_dir: str = "",
    allow_secrets: Sequence[str] = (),
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Listing:
    """List and hash the files of ``root`` that belong to a deployment.

    Those are the files that ``git ls-files --cached --others --exclude-per-directory=.gitignore`` names and that
    exist, whether git is installed or not, then less and plus what `.rigignore` says; see ``docs/bundles.md``.
    ``cache_dir`` is where the stat cache lives; without it every file is read.

    Raises `RigError`: ``not_found`` (no such folder), ``secret_in_source`` (all offenders at once), ``too_large``
    (before anything is read), ``invalid_data`` (a symlink leaves the tree), ``failed`` (unreadable), ``conflict`` (a
    file keeps changing).
    """
    folder = os.path.realpath(os.fsencode(root))
    if not os.path.isdir(folder):
        raise RigError("not_found", f"There is no folder `{root}`.", "Give the folder that holds the app.")
    limits = limits or Limits()
    cache = StatCache(cache_dir, folder)
    walk = Walk(folder, limits)
    walk.check_limits()
    hashing = _Hashing(walk, cache, progress)
    tree = hashing.tree()
    refuse_secrets(hashing.suspects, allow_secrets)
    if hashing.bad_links:
        raise _bad_links(hashing.bad_links)
    if hashing.changed or len(hashing.records) != len(cache.records):
        cache.save(hashing.records)
    cache.records.clear()
    return Listing(folder, tree, walk.files, walk.bytes, tuple(walk.warnings), cache)


_Found = tuple[Stat, Entry | None, bool]
"""What one file holds: the stat for which it is true; the entry, None for a file that has gone since, as if it had gone
a moment before; whether its content is a credential."""


def _unchanged(folder: Folder, record: Record | None) -> bool:
    """Whether the files of a folder are those of its record. Those of which not all is known differ from all."""
    return record is not None and record.stats == folder.stats


def _files_of(record: Record) -> list[Entry]:
    return [entry for entry in entries_of(record.encoding) if entry.mode != DIRECTORY]


class _Hashing:
    """Makes a tree of a walk, leaves first. Of a file nothing stays in memory once its folder is done."""

    def __init__(self, walk: Walk, cache: StatCache, progress: Progress | None) -> None:
        self.records: dict[bytes, Record] = {}
        self.suspects: list[bytes] = []
        self.bad_links: list[str] = []
        self.changed = False
        self._walk = walk
        self._progress = progress
        self._started = time.time_ns()
        self._before = {folder.path: cache.records.get(folder.path) for folder in walk.folders}
        changed = [folder for folder in walk.folders if not _unchanged(folder, self._before[folder.path])]
        self._total, self._done, self._said = sum(folder.size for folder in changed), 0, 0
        self._large = self._read_large(changed)
        """What the large files hold that had to be read, by path."""

    def tree(self) -> Tree:
        directories: dict[bytes, bytes] = {}
        done: dict[bytes, Entry] = {}
        for folder in self._walk.folders:
            children = [done[child.path] for child in folder.folders if child.path in done]
            record = self._record(folder, children)
            self.records[folder.path] = record
            self.suspects.extend(folder.at(name) for name in record.suspects)
            if len(record.encoding) > len(HEADER) or not folder.path:
                directories[record.id] = record.encoding
                done[folder.path] = Entry(folder.name, DIRECTORY, len(record.encoding), record.id)
        return Tree(done[b""].digest, directories)

    def _record(self, folder: Folder, children: list[Entry]) -> Record:
        """The record of one folder: the old one where nothing has changed."""
        old, folders = self._before.pop(folder.path), msgspec.msgpack.encode(children)
        if old and _unchanged(folder, old):
            if old.folders == folders:
                return old
            files, stats, suspects = _files_of(old), old.stats, old.suspects
        else:
            files, stats, suspects = self._read_folder(folder, old)
        self.changed = True
        encoding = encode_directory([*files, *children])
        if len(encoding) > DIRECTORY_MAX:
            raise RigError(
                "too_large",
                f"The folder `{show(folder.path) or '.'}` holds {len(files)} files, too many for one folder.",
                "Spread them over several folders, or list them in .rigignore.",
            )
        return Record(stats, folders, directory_id(encoding), encoding, suspects)

    def _read_folder(self, folder: Folder, old: Record | None) -> tuple[list[Entry], bytes, list[bytes]]:
        """What is in the files of a folder: the entries, the stats to be kept, and which look like secrets."""
        known = _known(old)
        files: list[Entry] = []
        stats: list[Stat] = []
        suspects: list[bytes] = []
        for stat in folder.files():
            name, size = stat[0], stat[2]
            found = self._large.pop(folder.at(name), None) if size >= CHUNK else None
            if found is None:
                found = (known and known.get(stat)) or self._read(folder, stat)
                self._advance(size)
            seen, entry, secret = found
            if entry is None:
                self._walk.files -= 1
                self._walk.bytes -= size
                continue
            self._walk.bytes += seen[2] - size
            files.append(entry)
            stats.append(seen if at_rest(seen, self._started) else unsettled(seen))
            if secret or looks_secret(name):
                suspects.append(name)
        return files, encode_stats(stats), suspects

    def _read_large(self, folders: list[Folder]) -> dict[bytes, _Found]:
        """Read the large files by several threads. Handing a small one to a thread costs more than hashing it."""
        jobs: list[tuple[Folder, Stat]] = []
        for folder in folders:
            if folder.largest >= CHUNK:
                known = _known(self._before[folder.path])
                jobs += [(folder, stat) for stat in folder.files() if stat[2] >= CHUNK and stat not in known]
        if not jobs:
            return {}
        from concurrent.futures import ThreadPoolExecutor

        read: dict[bytes, _Found] = {}
        with ThreadPoolExecutor(_THREADS) as pool:
            for (folder, stat), found in zip(jobs, pool.map(lambda job: self._read(*job), jobs), strict=True):
                read[folder.at(stat[0])] = found
                self._advance(stat[2])
        return read

    def _advance(self, size: int) -> None:
        self._done += size
        if self._progress and (self._done - self._said >= CHUNK or self._done == self._total):
            self._said = self._done  # a terminal would take longer to say more than the files take to be read
            self._progress.advance(self._done, self._total)

    def _read(self, folder: Folder, stat: Stat) -> _Found:
        name = stat[0]
        path = folder.before + name
        try:
            if st.S_ISLNK(stat[1]):
                target = read_link(path)
                self._check_link(folder, name, target)
                return stat, Entry(name, SYMLINK, len(target), sha256(target).digest()), False
            seen, digest, secret = hash_file(path, stat, holds_secret)
        except Gone:
            return stat, None, False
        return seen, Entry(name, EXECUTABLE if seen[1] & st.S_IXUSR else FILE, seen[2], digest), secret

    def _check_link(self, folder: Folder, name: bytes, target: bytes) -> None:
        depth = folder.path.count(b"/") + 1 if folder.path else 0
        try:
            if symlink_climb(target) > depth:
                raise BundleError("its target is outside of the source")
        except BundleError as error:
            self.bad_links.append(f"`{show(folder.at(name))}` → `{show(target)}`: {error}")


def _known(record: Record | None) -> dict[Stat, _Found]:
    """What is known of the files of a folder."""
    if record is None:
        return {}
    pairs = zip(decode_stats(record.stats), _files_of(record), strict=True)
    return {stat: (stat, entry, stat[0] in record.suspects) for stat, entry in pairs}


def _bad_links(links: list[str]) -> RigError:
    return RigError(
        "invalid_data",
        f"A symlink must stay inside of the source: {some_of(links, 10, '; ')}.",
        "Make it relative with every `..` in front, replace it by what it leads to, or list it in .rigignore.",
        links=links[:1000],
    )
