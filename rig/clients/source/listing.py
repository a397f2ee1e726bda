"""The source as a tree: what git would see, hashed, with as little reading as can be."""

from __future__ import annotations

import os
import stat as st
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from rig.clients.source.reading import CHUNK, Gone, hash_file, read_link
from rig.clients.source.secrets import holds_secret, looks_secret, refuse_secrets
from rig.clients.source.statcache import Record, Stat, StatCache, at_rest, unsettled
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
    decode_directory,
    directory_id,
    encode_directory,
    symlink_climb,
)
from rig.kernel.errors import RigError
from rig.kernel.ports import Progress

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


class _Plan(NamedTuple):
    """One folder: what is known of its files, and which of them have to be read."""

    folder: Folder
    old: Record | None
    """Its record, if not one of its files has changed."""
    known: dict[bytes, Entry]
    to_read: list[Stat]
    secret: set[bytes]
    """Names of files whose content is a credential."""


def _plan(folder: Folder, record: Record | None) -> _Plan:
    if record is None:
        return _Plan(folder, None, {}, list(folder.files), set())
    if record.stats == msgspec.msgpack.encode(folder.files):
        return _Plan(folder, record, {}, [], set())
    before = dict(zip(msgspec.msgpack.decode(record.stats, type=list[Stat]), _files_of(record), strict=True))
    known = {stat[0]: before[stat] for stat in folder.files if stat in before}
    to_read = [stat for stat in folder.files if stat not in before]
    return _Plan(folder, None, known, to_read, {name for name in record.suspects if name in known})


def _files_of(record: Record) -> list[Entry]:
    return [entry for entry in decode_directory(record.encoding) if entry.mode != DIRECTORY]


class _Hashing:
    """Makes a tree of a walk: first what is known, then what has to be read, then the directories, leaves first."""

    def __init__(self, walk: Walk, cache: StatCache, progress: Progress | None) -> None:
        self.records: dict[bytes, Record] = {}
        self.suspects: list[bytes] = []
        self.bad_links: list[str] = []
        self.changed = False
        self._walk = walk
        self._progress = progress
        self._started = time.time_ns()
        self._plans = [_plan(folder, cache.records.get(folder.path)) for folder in walk.folders]

    def tree(self) -> Tree:
        self._read_all()
        directories: dict[bytes, bytes] = {}
        done: dict[bytes, Entry] = {}
        for plan in self._plans:
            folder = plan.folder
            children = [done[child.path] for child in folder.folders if child.path in done]
            record = self._record(plan, children)
            self.records[folder.path] = record
            self.suspects.extend(folder.at(name) for name in record.suspects)
            if len(record.encoding) > len(HEADER) or not folder.path:
                directories[record.id] = record.encoding
                done[folder.path] = Entry(folder.name, DIRECTORY, len(record.encoding), record.id)
        return Tree(done[b""].digest, directories)

    def _read_all(self) -> None:
        jobs = [(plan, stat) for plan in self._plans for stat in plan.to_read]
        if not jobs:
            return
        total, done = sum(stat[2] for _, stat in jobs), 0
        for plan, stat, seen, entry, secret in self._results(jobs):
            done += stat[2]
            if self._progress:
                self._progress.advance(done, total)
            if entry is None:  # it has gone since: as if it had gone a moment before
                self._walk.files -= 1
                self._walk.bytes -= stat[2]
                continue
            plan.known[stat[0]] = entry
            if secret:
                plan.secret.add(stat[0])
            if seen != stat:
                self._walk.bytes += seen[2] - stat[2]
                plan.folder.files[plan.folder.files.index(stat)] = seen

    def _results(self, jobs: list[tuple[_Plan, Stat]]) -> Iterator[tuple[_Plan, Stat, Stat, Entry | None, bool]]:
        # Handing a small file to a thread costs more than hashing it.
        for plan, stat in jobs:
            if stat[2] < CHUNK:
                yield plan, stat, *self._read(plan.folder, stat)
        large = [job for job in jobs if job[1][2] >= CHUNK]
        if large:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(_THREADS) as pool:
                read = pool.map(lambda job: self._read(job[0].folder, job[1]), large)
                for (plan, stat), result in zip(large, read, strict=True):
                    yield plan, stat, *result

    def _read(self, folder: Folder, stat: Stat) -> tuple[Stat, Entry | None, bool]:
        """The stat for which it is true, what one file holds, and whether that is a credential."""
        name = stat[0]
        path = self._walk.full(folder.at(name))
        try:
            if st.S_ISLNK(stat[1]):
                target = read_link(path)
                self._check_link(folder, name, target)
                return stat, Entry(name, SYMLINK, len(target), sha256(target).digest()), False
            seen, digest, secret = hash_file(path, stat, lambda content: holds_secret(name, content))
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

    def _record(self, plan: _Plan, children: list[Entry]) -> Record:
        """The record of one folder: the old one where nothing has changed."""
        folders = msgspec.msgpack.encode(children)
        if plan.old and plan.old.folders == folders:
            return plan.old
        self.changed = True
        if plan.old:
            files, stats, suspects = _files_of(plan.old), plan.old.stats, plan.old.suspects
        else:
            kept = [stat for stat in plan.folder.files if stat[0] in plan.known]
            files = [plan.known[stat[0]] for stat in kept]
            stats = msgspec.msgpack.encode([s if at_rest(s, self._started) else unsettled(s) for s in kept])
            suspects = [stat[0] for stat in kept if stat[0] in plan.secret or looks_secret(stat[0])]
        encoding = encode_directory([*files, *children])
        if len(encoding) > DIRECTORY_MAX:
            raise RigError(
                "too_large",
                f"The folder `{show(plan.folder.path) or '.'}` holds {len(files)} files, too many for one folder.",
                "Spread them over several folders, or list them in .rigignore.",
            )
        return Record(stats, folders, directory_id(encoding), encoding, suspects)


def _bad_links(links: list[str]) -> RigError:
    shown = "; ".join(links[:10]) + (f"; and {len(links) - 10} more" if len(links) > 10 else "")
    return RigError(
        "invalid_data",
        f"A symlink must stay inside of the source: {shown}.",
        "Make it relative with every `..` in front, replace it by what it leads to, or list it in .rigignore.",
        links=links[:1000],
    )
