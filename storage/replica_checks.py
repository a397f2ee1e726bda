"""What holds a replica of a platform's record together, checked before a page is kept and whenever somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from rig.contract.replica import RecordPage
from rig.contract.verification import Finding
from storage import record
from storage.checkpoint import Checkpoint, parse, parse_verifier_key, verify
from storage.merkle import Frontier, leaf_hash
from storage.record import Record

PAGE = 2_000
EVENTS = "SELECT * FROM event WHERE pos >= ? ORDER BY pos LIMIT ?"
COLUMNS = ("id", "stream", "ver", "type", "corr")
"""What a row repeats of its record, for queries."""

Rows = Callable[[str, Sequence[Any]], Iterator[dict[str, Any]]]
"""Asks the tables of a replica."""


class Misplaced(ValueError):
    """A record that is not what should stand in its place; ``code`` is that of the finding."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Checked(NamedTuple):
    """A record that is the one hashed, and continues the one before it; of one that may not be seen the leaf alone."""

    leaf: bytes
    rec: str
    parsed: Record | None


def signed(page: RecordPage) -> Checkpoint | None:
    """The page's checkpoint; None for a journal without records. Raises `ValueError` where it is not the platform's."""
    name, public = parse_verifier_key(page.verifier)
    if name != page.origin:
        raise ValueError(f"the key is that of {name}, and the journal is {page.origin}")
    if not page.checkpoint and not page.records and page.size == 0:
        return None
    checkpoint = parse(page.checkpoint)
    if checkpoint.origin != name or not verify(page.checkpoint, name, public):
        raise ValueError("its checkpoint does not carry a good signature")
    return checkpoint


def checked(page: RecordPage, frontier: Frontier, tip: bytes | None) -> list[Checked]:
    """The records of a page, whose leaves are appended to the tree. Raises `ValueError` for one that does not fit."""
    found = []
    for pos, wire in enumerate(page.records, frontier.size):
        leaf, parsed = bytes.fromhex(wire.leaf), None
        if wire.rec:
            if leaf_hash(wire.rec.encode()) != leaf:
                raise ValueError(f"record {pos} is not the one whose hash it signed")
            parsed = _in_place(wire.rec, pos, tip)
        frontier.append(leaf)
        found.append(Checked(leaf, wire.rec, parsed))
        tip = leaf
    return found


def columns_of(parsed: Record | None) -> tuple[Any, ...]:
    """What the columns of ``COLUMNS`` repeat of a record; nothing of one that is withheld."""
    if parsed is None:
        return (None,) * len(COLUMNS)
    return parsed.id, parsed.stream, parsed.ver, parsed.type, parsed.corr or None


def findings_in(head: dict[str, Any], rows: Rows) -> list[Finding]:
    """What is wrong with a replica of this head, first of all: its records, the tree over them, or the signature."""
    if head["forked"]:
        return [_finding("FORKED", head["forked"])]
    frontier = Frontier(head["first"], head["before"])
    tip: bytes | None = record.GENESIS if head["first"] == 0 else None
    while page := list(rows(EVENTS, (frontier.size, PAGE))):
        for row in page:
            try:
                _check_row(row, frontier.size, tip)
            except Misplaced as wrong:
                return [_finding(wrong.code, str(wrong), row["pos"])]
            frontier.append(row["leaf"])
            tip = row["leaf"]
    checkpoint = parse(head["note"])
    name, public = parse_verifier_key(head["verifier"])
    if checkpoint.origin != name or not verify(head["note"], name, public):
        return [_finding("BAD_SIGNATURE", "its checkpoint does not carry a good signature of the platform")]
    if checkpoint.size > frontier.size:
        lost = f"the platform's checkpoint covers {checkpoint.size} records, and {frontier.size} are here"
        return [_finding("TRUNCATED", lost, frontier.size)]
    if checkpoint.size != frontier.size or checkpoint.root != frontier.root():
        return [_finding("ROOT_MISMATCH", "its records are not the ones that the platform signed", head["first"])]
    return []


def _check_row(row: dict[str, Any], pos: int, tip: bytes | None) -> None:
    """Raises `Misplaced` where the record at ``pos`` is not as it was kept."""
    if row["pos"] != pos:
        raise Misplaced("GAP", f"records {pos} to {row['pos'] - 1} are missing")
    parsed = None
    if row["rec"] is not None:
        if leaf_hash(row["rec"].encode()) != row["leaf"]:
            raise Misplaced("EDITED", f"record {pos} was edited: its hash is no longer the one that was kept")
        parsed = _in_place(row["rec"], pos, tip)
    for column, said in zip(COLUMNS, columns_of(parsed), strict=True):
        if row[column] != said:
            raise Misplaced("COLUMN_MISMATCH", f"the column `{column}` of record {pos} is not what the record says")


def _in_place(rec: str, pos: int, tip: bytes | None) -> Record:
    """The record, which says that it stands here, behind the one whose leaf is ``tip``. Raises `Misplaced`."""
    try:
        parsed = record.parse(rec)
    except msgspec.MsgspecError as error:
        raise Misplaced("EDITED", f"record {pos} is no record: {error}") from error
    if parsed.pos != pos or (tip is not None and parsed.prev != tip.hex()):
        raise Misplaced("CHAIN_BREAK", f"record {pos} does not follow the one before it")
    return parsed


def _finding(code: str, message: str, first: int = -1) -> Finding:
    return Finding(code=code, message=f"the replica of the platform's record: {message}", first=first, last=first)
