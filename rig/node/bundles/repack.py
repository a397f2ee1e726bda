"""Writes what is left of segments anew, where most of them is garbage.

The new segment is whole and on the disk before one transaction lets the index point to it; only then the old ones go.
Who has looked up a content's place before, and finds its segment gone, looks again.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import IO

from rig.kernel.files import sync_folder
from rig.node.bundles.marks import Segment, Stopped, segments
from rig.node.bundles.store import Store

SEGMENT_BYTES = 16 << 20
"""About how much a new segment holds."""
RUN_BYTES = 1 << 30
"""About how much is written at once; what is left waits for the next collection."""

log = logging.getLogger("rig.node.bundles")

_AT_ONCE = 500
"""Segments that are made one; SQLite takes at least 999 values in a query."""

_Stored = tuple[bytes, int, int]
"""Id, offset and size of a content."""
_Moved = tuple[int, bytes, int]
"""Offset in the new segment, id of the content, the segment that it comes from."""


def repack(store: Store, stop: Callable[[], bool]) -> None:
    """Repack the segments that are mostly garbage. Raises `Stopped`."""
    with store.index.change() as db:
        old = [segment for segment in segments(db) if segment.mostly_garbage]
    written = 0
    while old and written < RUN_BYTES:
        if stop():
            raise Stopped
        lot: list[Segment] = []
        while old and len(lot) < _AT_ONCE and sum(segment.live for segment in lot) < SEGMENT_BYTES:
            lot.append(old.pop())
        _merge(store, lot)
        written += sum(segment.live for segment in lot)


def _merge(store: Store, old: list[Segment]) -> None:
    """Make one segment of several."""
    contents = _contents(store, [segment.id for segment in old])
    fd, name = tempfile.mkstemp(dir=store.temporary)
    temporary = Path(name)
    try:
        with os.fdopen(fd, "wb", buffering=1 << 20) as target:
            moved: list[_Moved] = []
            emptied: list[int] = []
            for segment in old:
                copied = _copy(store, segment.id, contents[segment.id], target)
                if copied is None:
                    log.error("a segment of %s is damaged, and left as it is: %d", store.root, segment.id)
                else:
                    moved += copied
                    emptied.append(segment.id)
            size = target.tell()
            target.flush()
            os.fsync(target.fileno())
        if emptied:
            _switch(store, temporary, size, moved, emptied)
    finally:
        temporary.unlink(missing_ok=True)


def _contents(store: Store, numbers: list[int]) -> dict[int, list[_Stored]]:
    """What stands in each of these segments, by its offset."""
    found: dict[int, list[_Stored]] = {number: [] for number in numbers}
    marks = ",".join("?" * len(numbers))
    sql = f"select segment, id, offset, size from contents where segment in ({marks}) order by offset"  # noqa: S608
    with store.index.change() as db:
        for number, digest, offset, size in db.execute(sql, numbers):
            found[number].append((digest, offset, size))
    return found


def _copy(store: Store, segment: int, contents: list[_Stored], target: IO[bytes]) -> list[_Moved] | None:
    """Append what is left of a segment to ``target``; None where it does not hold what it should."""
    moved: list[_Moved] = []
    try:
        with store.segment(segment).open("rb") as source:
            for digest, offset, size in contents:
                source.seek(offset)
                data = source.read(size)
                if sha256(data).digest() != digest:
                    return None
                moved.append((target.tell(), digest, segment))
                target.write(data)
    except FileNotFoundError:
        return None
    return moved


def _switch(store: Store, temporary: Path, size: int, moved: list[_Moved], emptied: list[int]) -> None:
    index = store.index
    with index.change() as db:
        number = index.add_segment(size)
        temporary.rename(store.segment(number))
        sync_folder(store.segments)
        db.executemany(
            "update contents set segment = ?, offset = ? where id = ? and segment = ?",
            ((number, offset, digest, segment) for offset, digest, segment in moved),
        )
        for segment in emptied:
            index.drop_segment(segment)
    for segment in emptied:
        store.segment(segment).unlink(missing_ok=True)
