"""Collects what no bundle of a store needs any more.

Mark what is needed, delete the other rows in one transaction, then the files that no row names; last, segments that
hold mostly garbage are repacked. A row never names a file that is not there: files are removed after their rows, and a
new segment is on the disk before the rows point to it. Whatever a kill leaves is a file without a row, which goes with
the next collection.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from rig.node.bundles.index import LOOSE, Index
from rig.node.bundles.marks import Marks, segments
from rig.node.bundles.repack import repack
from rig.node.bundles.store import Store

GRACE = 86_400
"""Seconds for which whatever arrived, or was said to be here, stays: uploads in progress count on it."""


class Tally(msgspec.Struct, frozen=True):
    """How many things of a kind, and the bytes on the disk that they take."""

    count: int = 0
    bytes: int = 0


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What a collection removed from a store, or would remove."""

    contents: Tally = Tally()
    """Their bytes are those of the files that go; what stands in a segment goes with it, or is repacked."""
    directories: Tally = Tally()
    uploads: Tally = Tally()
    """Large contents of which parts had arrived, and nothing more came."""
    repacked: Tally = Tally()
    """Segments, and what is won by writing what is left of them anew."""


def collect(
    store: Store,
    bundles: Iterable[str],
    *,
    grace: int = GRACE,
    dry_run: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Swept:
    """Remove what is not part of ``bundles`` and was not seen for ``grace`` seconds. Others may use the store.

    ``stop`` is asked now and then; where it says so, this raises `Stopped`, and the next collection goes on.
    """
    with store.collecting:
        since = store.index.now() - grace
        marks = Marks(store.index, since)
        try:
            marks.make(map(bytes.fromhex, bundles), stop)
            with store.index.change() as db:
                marks.complete(db)
                swept = _survey(store, db, since)
                if not dry_run:
                    _delete(db, since)
        finally:
            marks.drop()
        if not dry_run:
            remove_unnamed(store, since)
            repack(store, stop)
        return swept


def _survey(store: Store, db: sqlite3.Connection, since: int) -> Swept:
    lost = "from contents where id not in (select id from kept_contents)"
    bodies = "from directories where id not in (select id from kept_directories)"
    loose = _tally(db, f"select count(*), sum(size) {lost} and segment = {LOOSE}")
    stored = _tally(db, f"select count(*), sum(size) {lost} and segment <> {LOOSE}")
    every = segments(db, "id in (select id from kept_contents)")
    emptied = sum(segment.size for segment in every if not segment.contents)
    repacked = [segment for segment in every if segment.mostly_garbage]
    uploads = _stale_uploads(db, since)
    return Swept(
        contents=Tally(loose.count + stored.count, loose.bytes + emptied),
        directories=_tally(db, f"select count(*), sum(length(body)) {bodies}"),
        uploads=Tally(len(uploads), sum(_size(store.partial_file(*upload)) for upload in uploads)),
        repacked=Tally(len(repacked), sum(segment.size - segment.live for segment in repacked)),
    )


def _delete(db: sqlite3.Connection, since: int) -> None:
    db.execute("delete from contents where id not in (select id from kept_contents)")
    db.execute("delete from directories where id not in (select id from kept_directories)")
    db.execute("delete from segments where id not in (select segment from contents)")
    db.executemany("delete from parts where content = ? and size = ?", _stale_uploads(db, since))


def _stale_uploads(db: sqlite3.Connection, since: int) -> list[tuple[bytes, int]]:
    return db.execute(
        "select content, size from parts group by content, size having max(seen) < ?", (since,)
    ).fetchall()


def remove_unnamed(store: Store, since: int) -> None:
    """Remove the files that no row names, or names no longer."""
    with store.index.change() as db:
        # Who brings a segment renames it to its place inside a change.
        named = {store.segment(number) for (number,) in db.execute("select id from segments")}
        _unlink(path for path in store.segments.iterdir() if path not in named)
    for folder in store.contents.iterdir():
        with store.assembling:
            _remove_unnamed_contents(store.index, folder)
    for path in store.partial.iterdir():
        digest, _, size = path.name.partition(".")
        # It may be moved to its place meanwhile, as a content that is complete.
        with store.index.change(), contextlib.suppress(FileNotFoundError):
            # Parts are written before they are in the index, so a young file may still get its rows.
            if not store.index.parts(bytes.fromhex(digest), int(size)) and path.stat().st_mtime < since:
                _unlink([path])


def _remove_unnamed_contents(index: Index, folder: Path) -> None:
    paths = {bytes.fromhex(path.name): path for path in folder.iterdir()}
    named = index.places(list(paths))
    _unlink(path for digest, path in paths.items() if digest not in named)


def _tally(db: sqlite3.Connection, sql: str) -> Tally:
    count, size = db.execute(sql).fetchone()
    return Tally(count, size or 0)


def _size(path: Path) -> int:
    """What a file takes on the disk: one whose parts arrive in any order has holes."""
    try:
        return os.stat(path).st_blocks * 512
    except FileNotFoundError:
        return 0


def _unlink(paths: Iterable[Path]) -> None:
    for path in list(paths):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
