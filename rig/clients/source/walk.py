"""Walks a source folder: which files belong to it, by their stat alone. Nothing is opened but the ignore files."""

from __future__ import annotations

import os
import stat as st
from collections.abc import Iterable, Iterator
from itertools import repeat

from rig.clients.source.ignore import PatternList, Rules
from rig.clients.source.reading import stat_of, unreadable
from rig.clients.source.repository import Repository, find_repository, git_folder
from rig.clients.source.statcache import NO_STATS, Stat, decode_stats, encode_stats
from rig.clients.source.tree import show
from rig.contract.bundles import Limits
from rig.kernel.errors import RigError

IGNORE_FILE_MAX = 1 << 20
_GIT_IGNORE = b".gitignore"
_RIG_IGNORE = b".rigignore"
_NEVER = frozenset({b".git", b".rig"})


class Folder:
    """A folder of the source with what is kept of it. ``path`` is relative to the source, empty for its root.

    Of its files only an encoding stays in memory, since a source may have hundreds of thousands of them.
    """

    __slots__ = ("before", "count", "folders", "largest", "longest", "name", "path", "size", "stats")

    def __init__(self, path: bytes, name: bytes, before: bytes) -> None:
        self.path = path
        self.name = name
        self.before = before
        """What comes before the names in it, in their absolute paths."""
        self.folders: list[Folder] = []
        self.stats = NO_STATS
        """MessagePack of the list of `Stat`, sorted by name."""
        self.count = 0
        """Of its files."""
        self.size = 0
        """Of all files, and of the largest."""
        self.largest = 0
        self.longest = 0
        """Bytes of the longest name."""

    def fill(self, files: list[Stat]) -> None:
        """Take in the files."""
        if files:
            files.sort()
            sizes = [stat[2] for stat in files]
            self.stats, self.count = encode_stats(files), len(files)
            self.size, self.largest = sum(sizes), max(sizes)
            self.longest = max([len(stat[0]) for stat in files])

    def files(self) -> list[Stat]:
        """The files, sorted by name."""
        return decode_stats(self.stats)

    def at(self, name: bytes) -> bytes:
        """The path of something in this folder."""
        return self.path + b"/" + name if self.path else name


class Walk:
    """One walk. ``folders`` holds every folder after those in it; ``warnings`` what was left out and why."""

    def __init__(self, root: bytes, limits: Limits) -> None:
        self.root = root
        self.folders: list[Folder] = []
        self.warnings: list[str] = []
        self.files = 0
        self.bytes = 0
        self._limits = limits
        repository = find_repository(root)
        # Paths are matched as they stand in the repository, of which the source may be a part.
        self._prefix = _below(root, repository)
        rules = _rules_above(repository, self._prefix) if repository else Rules()
        self._walk(b"", b"", rules, Repository(repository, 0) if repository else None, False, 0)

    def _walk(
        self, path: bytes, name: bytes, rules: Rules, repository: Repository | None, tracked_only: bool, depth: int
    ) -> Folder:
        if depth > self._limits.depth:
            raise RigError("invalid_data", f"`{show(path)}` is more than {self._limits.depth} folders deep.")
        full = os.path.join(self.root, path) if path else self.root
        folder = Folder(path, name, os.path.join(full, b""))
        try:
            with os.scandir(full) as found:
                entries = list(found)
        except FileNotFoundError:
            if not path:
                raise
            return folder
        except OSError as error:
            raise unreadable(full, error) from error
        prefix = self._prefix + path + b"/" if path else self._prefix
        names = {entry.name for entry in entries}
        if b".git" in names and path and git_folder(full):
            # A repository in a repository, submodule or not, is under its own rules.
            rules, repository, tracked_only = Rules(rules.own), Repository(full, len(prefix)), False
        if _GIT_IGNORE in names and (patterns := _load(full, _GIT_IGNORE)):
            rules = rules.with_git(len(prefix), patterns)
        if _RIG_IGNORE in names and (patterns := _load(full, _RIG_IGNORE)):
            rules = rules.with_own(len(prefix), patterns)
        below = path + b"/" if path else b""
        files: list[Stat] = []
        for entry, child_tracked_only in self._kept(entries, prefix, rules, repository, tracked_only):
            if entry.is_dir(follow_symlinks=False):
                child = self._walk(below + entry.name, entry.name, rules, repository, child_tracked_only, depth + 1)
                if child.count or child.folders:
                    folder.folders.append(child)
            elif stat := self._stat(folder, entry):
                files.append(stat)
        folder.fill(files)
        self.files += folder.count
        self.bytes += folder.size
        folder.folders.sort(key=lambda child: child.name)
        self.folders.append(folder)
        return folder

    def _kept(
        self,
        entries: list[os.DirEntry[bytes]],
        prefix: bytes,
        rules: Rules,
        repository: Repository | None,
        tracked_only: bool,
    ) -> Iterable[tuple[os.DirEntry[bytes], bool]]:
        """The entries that no rule excludes; with each, whether below it only what git tracks is kept."""
        entries = [entry for entry in entries if entry.name.lower() not in _NEVER]
        if rules.own or rules.git or tracked_only:
            return self._by_rules(entries, prefix, rules, repository, tracked_only)
        return zip(entries, repeat(False))

    def _by_rules(
        self,
        entries: list[os.DirEntry[bytes]],
        prefix: bytes,
        rules: Rules,
        repository: Repository | None,
        tracked_only: bool,
    ) -> Iterator[tuple[os.DirEntry[bytes], bool]]:
        for entry in entries:
            name = entry.name
            is_directory = entry.is_dir(follow_symlinks=False)
            path = prefix + name
            verdict = rules.by_own(path, name, is_directory) if rules.own else None
            if verdict is None:
                excluded = tracked_only or rules.by_git(path, name, is_directory)
                if excluded and not (repository and repository.tracks(path[repository.base :])):
                    continue
                yield entry, excluded
            elif not verdict:
                yield entry, False

    def _stat(self, folder: Folder, entry: os.DirEntry[bytes]) -> Stat | None:
        try:
            result = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unreadable(entry.path, error) from error
        if not (st.S_ISREG(result.st_mode) or st.S_ISLNK(result.st_mode)):
            self.warnings.append(f"`{show(folder.at(entry.name))}` is no file, and is left out.")
            return None
        return stat_of(entry.name, result)

    def check_limits(self) -> None:
        """Raise `RigError` ``too_large`` with the largest files, before anything is read or sent."""
        limits = self._limits
        if self.files > limits.files:
            crowded = sorted(self.folders, key=lambda f: -f.count)[:5]
            where = ", ".join(f"`{show(f.path) or '.'}` ({f.count})" for f in crowded)
            raise RigError(
                "too_large",
                f"The source has {self.files} files, and {limits.files} is the limit; most are in {where}.",
                "List what need not travel in .rigignore.",
                files=self.files,
                limit=limits.files,
            )
        if self.bytes > limits.bytes:
            import heapq

            every = ((stat[2], folder.at(stat[0])) for folder in self.folders for stat in folder.files())
            largest = heapq.nlargest(10, every)
            where = ", ".join(f"`{show(path)}` ({size / 1e6:.1f} MB)" for size, path in largest[:5])
            raise RigError(
                "too_large",
                f"The source has {self.bytes / 1e6:.1f} MB, and {limits.bytes / 1e6:.1f} MB is the limit;"
                f" the largest files are {where}.",
                "List what need not travel in .rigignore.",
                bytes=self.bytes,
                limit=limits.bytes,
                largest=[{"path": show(path), "bytes": size} for size, path in largest],
            )
        for folder in self.folders:
            if len(folder.path) + 1 + folder.longest > limits.path:
                raise RigError("invalid_data", f"A path in `{show(folder.path[:80])}…` is over {limits.path} bytes.")


def _below(path: bytes, ancestor: bytes) -> bytes:
    """``path`` relative to ``ancestor`` with a slash at its end; empty where they are the same, or there is none."""
    if not ancestor or path == ancestor:
        return b""
    relative = os.path.relpath(path, ancestor)
    return (relative.replace(os.sep.encode(), b"/") if os.sep != "/" else relative) + b"/"


def _rules_above(repository: bytes, prefix: bytes) -> Rules:
    """The rules that the folders above the source set for it.

    Where they exclude the source itself they are left out: it was named by the user, and all of it would be excluded.
    """
    rules, done = Rules(), b""
    for name in prefix.split(b"/")[:-1]:
        patterns = _load(os.path.join(repository, done), _GIT_IGNORE)
        if patterns:
            rules = rules.with_git(len(done), patterns)
        if rules.by_git(done + name, name, True):
            return Rules()
        done += name + b"/"
    return rules


def _load(folder: bytes, name: bytes) -> PatternList | None:
    """The patterns of an ignore file. One that is a symlink counts for nothing, as with git."""
    full = os.path.join(folder, name)
    try:
        if not st.S_ISREG(os.lstat(full).st_mode):
            return None
        with open(full, "rb") as file:
            text = file.read(IGNORE_FILE_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(full, error) from error
    if len(text) > IGNORE_FILE_MAX:
        raise RigError("too_large", f"`{show(full)}` is over {IGNORE_FILE_MAX} bytes.")
    return PatternList(text)
