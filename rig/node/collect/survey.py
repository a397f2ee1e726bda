"""Finds what there is to collect. Nothing is measured here: only what goes is worth the time."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from rig.node.builder.layers import STAMP, stamp_of
from rig.node.builder.model import BuildPaths, is_build_id, load_build
from rig.node.collect.caches import Odd, downloads
from rig.node.collect.model import Found
from rig.node.paths import NodePaths

TOOLS = ("pip", "npm")

_LOG = re.compile(r"^v([1-9][0-9]*)\.")


def survey_app(paths: NodePaths, app: str) -> list[Found]:
    """Everything in the folder of an app that may be garbage some day."""
    folder = paths.app(app)
    return [*_builds(app, folder), *_layers(app, folder), *_caches(app, folder), *_logs(app, folder)]


def apps_on_disk(paths: NodePaths) -> set[str]:
    """Every app that has a folder, whether it exists or not."""
    return {f"{folder.parts[-3]}/{folder.name}" for folder in paths.networks.glob("*/apps/*")}


def empty_networks(paths: NodePaths) -> list[Found]:
    """The folders of networks in which no app has one; ``used`` tells when a source last arrived."""
    found = []
    for folder in _entries(paths.networks):
        store = paths.store(folder.name)
        if folder.is_dir() and not _entries(folder / "apps"):
            used = max(map(_changed, (folder, store, *_entries(store))))
            found.append(Found(kind="network", app=folder.name, name=folder.name, path=folder, used=used))
    return found


def access_logs(paths: NodePaths, apps: Collection[str]) -> list[Found]:
    """The access logs that belong to none of these apps: the files of each, and the link that names them.

    The edge removes them when an app is deleted; these are of an edge or a node that was killed meanwhile.
    """
    found = []
    owned, others = set(), []
    for link in _entries(paths.edge / "access"):
        name, _, rest = link.name.partition(".")
        app = f"{rest.partition('.')[0]}/{name}"
        slot = link.parent / link.readlink().parent if link.is_symlink() else None
        if app in apps:
            owned.add(slot)
        else:
            others.append((app, link, slot))
    for app, link, slot in others:
        files = sorted(slot.glob("access*.log*")) if slot is not None and slot not in owned else []
        hostname = link.name.removesuffix(".log")
        found += [Found(kind="access", app=app, name=hostname, path=path) for path in (link, *files)]
    return found


def _builds(app: str, folder: Path) -> Iterator[Found]:
    for path in _entries(folder / "builds"):
        if not is_build_id(path.name):
            continue  # somebody else's, as the .DS_Store of a Mac
        paths = BuildPaths(folder, path.name)
        build = load_build(paths)
        yield Found(
            kind="build",
            app=app,
            name=path.name,
            path=path,
            used=_changed(paths.record) or _changed(path),
            layers=build.layers if build else (),
        )


def _layers(app: str, folder: Path) -> Iterator[Found]:
    root = folder / "cache" / "layers"
    for key in sorted({path.name.removesuffix(STAMP) for path in _entries(root) if not path.name.startswith(".")}):
        path = root / key
        used = max(_changed(stamp_of(path)), _changed(path))
        yield Found(kind="layer", app=app, name=key, path=path, used=used)


def _caches(app: str, folder: Path) -> Iterator[Found]:
    for tool in TOOLS:
        path = folder / "cache" / tool
        if not path.is_dir():
            continue
        try:
            yield Found(kind="cache", app=app, name=tool, path=path, downloads=tuple(downloads(path)))
        except Odd:
            yield Found(kind="cache", app=app, name=tool, path=path, odd=True)


def _logs(app: str, folder: Path) -> Iterator[Found]:
    for path in _entries(folder / "releases"):
        named = _LOG.match(path.name)
        if named:
            name = path.name.removesuffix(".jsonl")
            yield Found(kind="log", app=app, name=name, path=path, used=_changed(path), version=int(named[1]))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _changed(path: Path) -> int:
    """When it was changed, in seconds since the epoch; 0 where it is not there."""
    try:
        return int(path.lstat().st_mtime)
    except OSError:
        return 0
