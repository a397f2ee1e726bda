"""Exports: a range of the journal, or picked records of it, as a file that can be checked without the journal.

The first line says what it is, then come the records as they stand in the journal, byte by byte, and the last line
holds a digest of all before it, and the newest checkpoint. A whole range is bound to the checkpoint by its chain and a
consistency proof; of picked records each has its own inclusion proof. docs/journal.md describes the format;
`storage.verify_export` reads it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from rig.contract.evidence import Exported
from rig.kernel.errors import RigError
from storage import canonical
from storage.checkpoint import parse
from storage.database import connect, unavailable
from storage.merkle import Frontier, leaf_hash
from storage.proofs import Tree
from storage.verify_export import END, FORMAT

Write = Callable[[bytes], Any]
PAGE = 4000
READ = "SELECT CAST(rec AS BLOB), leaf FROM event WHERE pos >= ? AND pos < ? ORDER BY pos"
READ_LEAVES = "SELECT leaf FROM event WHERE pos >= ? AND pos < ? ORDER BY pos"
READ_FRONTIER = "SELECT frontier FROM segment WHERE last = ?"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is exported: the records from ``first`` to ``end - 1``, or those of ``positions`` among them."""

    first: int = 0
    end: int | None = None
    """None: up to the newest."""
    positions: Sequence[int] | None = None
    """In rising order. None: all, so that completeness is proven."""
    filter: dict[str, str] = {}
    """What picked them, in the words of whoever asked; it is put into the header."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What an export holds."""

    origin: str
    first: int
    end: int
    count: int
    size: int
    """Records that its checkpoint covers."""
    root: str
    checkpoint: str
    sha256: str
    """Of all lines but the last; it stands in the last line."""


class Source(msgspec.Struct, frozen=True):
    """A journal as of one moment: what an export is taken from. ``note`` is its newest checkpoint, empty without."""

    connection: sqlite3.Connection
    path: str
    origin: str
    tree: Tree
    note: str
    verifier: str = ""
    """The public key by which the note was checked when it came, of a replica; empty for a journal of one's own."""

    def close(self) -> None:
        self.connection.close()

    def positions(self, since: int | None, until: int | None) -> tuple[int, int]:
        """The range that holds every record whose time is within; where the clock jumped, others stand among them."""
        first, end = self.tree.base, self.tree.size
        if since is not None:
            first = self._one("SELECT min(pos) FROM event WHERE at >= ?", since, end)
        if until is not None:
            end = self._one("SELECT max(pos) + 1 FROM event WHERE at < ?", until, first)
        return first, max(first, min(end, self.tree.size))

    def _one(self, query: str, at: int, default: int) -> int:
        found = self.connection.execute(query, (at,)).fetchone()[0]
        return default if found is None else int(found)

    def records(self, first: int, end: int) -> Iterator[list[bytes]]:
        """The bytes of a range, in pages; each record is the one that was hashed. Raises `RigError` ``tampered``."""
        for start in range(first, end, PAGE):
            page = self.connection.execute(READ, (start, min(start + PAGE, end))).fetchall()
            for pos, (data, leaf) in enumerate(page, start):
                if leaf_hash(data) != leaf:
                    raise _altered(self.path, f"record {pos} was edited")
            yield [data for data, _ in page]


def open_source(path: str, timeout: float = 10.0) -> Source:
    """Read what binds the records of a journal together. Raises `RigError`: ``tampered`` where it does not hold.

    Whoever opens it closes it.
    """
    return _open(path, timeout, _read_journal)


def open_replica(path: str, timeout: float = 10.0) -> Source:
    """The same of a replica. Records that are withheld in it cannot be exported, and the others can be proven."""
    return _open(path, timeout, _read_replica)


def _open(path: str, timeout: float, read: Callable[[sqlite3.Connection, str], Source]) -> Source:
    try:
        connection = connect(path, read_only=True, timeout=timeout)
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    try:
        return read(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise unavailable(path, error) from error
    except BaseException:
        connection.close()
        raise


def _read_journal(connection: sqlite3.Connection, path: str) -> Source:
    connection.execute("BEGIN")
    head = connection.execute("SELECT origin, size, min_pos FROM head").fetchone()
    note = connection.execute("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
    archived = connection.execute(READ_FRONTIER, (head[2] - 1,)).fetchone() if head else None
    connection.execute("COMMIT")
    origin, size, base = head or ("", 0, 0)
    tree = _tree(connection, path, base, archived[0] if archived else b"", size, note[0] if note else "")
    return Source(connection, path, origin, tree, note[0] if note else "")


def _read_replica(connection: sqlite3.Connection, path: str) -> Source:
    query = "SELECT origin, first, before, size, note, verifier FROM head"
    origin, base, before, size, note, verifier = connection.execute(query).fetchone()
    tree = _tree(connection, path, base, before, size, note)
    return Source(connection, path, origin, tree, note, verifier)


def _tree(connection: sqlite3.Connection, path: str, base: int, before: bytes, size: int, note: str) -> Tree:
    """The tree over the leaves. Raises `RigError` ``tampered`` where it is not the one that the note was made over."""
    leaves = bytearray()
    for start in range(base, size, PAGE):
        leaves += b"".join(leaf for (leaf,) in connection.execute(READ_LEAVES, (start, min(start + PAGE, size))))
    try:
        tree = Tree(Frontier(base, before), leaves)
        agrees = tree.size == size and (not size or (note and parse(note).root == tree.root(size)))
    except ValueError as error:
        raise _altered(path, str(error)) from error
    if not agrees:
        raise _altered(path, "its records are not the ones that its newest checkpoint was made over")
    return tree


def export(source: Source, write: Write, chosen: Selection, *, verifier: str, exported_at: str) -> Written:
    """Write an export. ``verifier`` is the public key, for information. Raises `RigError`, or what ``write`` raises."""
    tree = source.tree
    end = tree.size if chosen.end is None else chosen.end
    if not tree.base <= chosen.first <= end <= tree.size:
        raise RigError("not_found", f"The journal holds records {tree.base} to {tree.size - 1}.", "Choose among these.")
    header: dict[str, Any] = {
        "complete": chosen.positions is None,
        "end": end,
        "exported_at": exported_at,
        "filter": chosen.filter,
        "first": chosen.first,
        "format": FORMAT,
        "frontier": [],
        # A journal without records has no head yet; the key knows whose it is.
        "origin": source.origin or verifier.partition("+")[0],
        "verifier": verifier,
    }
    if chosen.positions is None:
        header["frontier"] = _hex(tree.frontier(chosen.first).roots)
    writer = _Writer(write)
    writer.lines([canonical.encode(header)])
    count = 0
    if chosen.positions is None:
        for page in source.records(chosen.first, end):
            writer.lines(page)
            count += len(page)
    else:
        for pos in chosen.positions:
            (record,) = next(source.records(pos, pos + 1))
            writer.lines([record, canonical.encode({"proof": _hex(tree.inclusion(pos, tree.size))})])
            count += 1
    trailer: dict[str, Any] = {
        "checkpoint": source.note,
        "consistency": _hex(tree.consistency(end, tree.size)) if chosen.positions is None else [],
        "count": count,
        "format": END,
        "sha256": writer.digest.hexdigest(),
    }
    write(canonical.encode(trailer) + b"\n")
    return Written(
        origin=header["origin"],
        first=chosen.first,
        end=end,
        count=count,
        size=tree.size,
        root=tree.root(tree.size).hex(),
        checkpoint=source.note,
        sha256=trailer["sha256"],
    )


def exported(written: Written, verifier: str, *, complete: bool) -> Exported:
    """What was written, as it is replied."""
    return Exported(
        key=verifier,
        origin=written.origin,
        first=written.first,
        end=written.end,
        records=written.count,
        complete=complete,
        size=written.size,
        root=written.root,
        checkpoint=written.checkpoint,
        sha256=written.sha256,
    )


class _Writer:
    """Lines, with a digest of them."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self.digest = sha256()

    def lines(self, lines: Sequence[bytes]) -> None:
        data = b"\n".join([*lines, b""])
        self.digest.update(data)
        self._write(data)


def _hex(hashes: Sequence[bytes]) -> list[str]:
    return [digest.hex() for digest in hashes]


def _altered(path: str, reason: str) -> RigError:
    return RigError(
        "tampered", f"The journal {path} does not verify: {reason}.", "`rig journal verify` tells all that is wrong."
    )
