"""Whether the tables of a replica, which queries read, are what its records come to.

Who wants to hide something edits the row of the audit log and not the record, which is hashed. So the records are
folded anew, beside the replica, and the tables compared.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

from rig.contract.verification import Finding
from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded
from storage import record
from storage.database import connect
from storage.fold import digest
from storage.projections.base import Projection
from storage.projections.folding import apply_page, make_tables

PAGE = 2_000
READ = "SELECT pos, rec FROM event WHERE pos >= ? AND rec IS NOT NULL ORDER BY pos LIMIT ?"
READ_NOTED = """
SELECT pos, type, rec FROM event WHERE pos >= ? AND pos < ? AND rec IS NOT NULL
AND pos NOT IN (SELECT pos FROM unreadable) ORDER BY pos LIMIT ?"""
LEFT_OUT = "SELECT rec FROM event JOIN unreadable USING (pos) WHERE rec IS NOT NULL ORDER BY pos LIMIT ?"


def readable(rec: str) -> Recorded | None:
    """A record, decoded; None where this version of rig cannot read it."""
    try:
        return record.recorded(rec)
    except RigError:
        return None


def left_out(connection: sqlite3.Connection) -> bool:
    """Whether records are noted as unreadable that this version of rig can read."""
    return any(readable(rec) is not None for (rec,) in connection.execute(LEFT_OUT, (PAGE,)).fetchall())


def pages(connection: sqlite3.Connection, first: int) -> Iterator[list[tuple[int, Recorded | None]]]:
    """The records that may be seen, from ``first`` on: position, and None for one that cannot be read."""
    while page := connection.execute(READ, (first, PAGE)).fetchall():
        yield [(pos, readable(rec)) for pos, rec in page]
        first = page[-1][0] + 1


def findings_in_tables(path: str, projections: Sequence[Projection], timeout: float) -> list[Finding]:
    """What is wrong with the tables of a replica. Raises `sqlite3.Error`.

    Others may extend it meanwhile: the tables are read at one moment, and the records up to there do not change.
    """
    with closing(connect(path, read_only=True, timeout=timeout)) as connection:
        (whole,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if whole != "ok":
            return [_finding("DAMAGED", whole)]
        connection.execute("BEGIN")
        size: int = connection.execute("SELECT coalesce(max(pos) + 1, 0) FROM event").fetchone()[0]
        known = {name: found for name, *found in connection.execute("SELECT * FROM projection")}
        ours = [each for each in projections if known.get(each.name) == [each.version, size]]
        held = {each.name: digest(connection, each).digest for each in ours}
        connection.execute("COMMIT")
        try:
            anew = _folded(connection, ours, size)
        except RigError as error:
            return [_finding("PROJECTION_UNKNOWN", f"its tables cannot be folded anew: {error}")]
    findings = []
    for each in projections:
        version, pos = known.get(each.name, [0, 0])
        if version > each.version:
            findings.append(
                _finding(
                    "PROJECTION_UNKNOWN",
                    f"the tables of `{each.name}` were made by a newer rig, which has to check them",
                )
            )
        elif pos != size:
            what = f"the tables of `{each.name}` are said to hold the records up to {pos}, and {size} are here"
            findings.append(_finding("PROJECTION_MISMATCH", what))
        elif held[each.name] != anew[each.name]:
            what = f"the tables of `{each.name}` are not what the records come to"
            findings.append(_finding("PROJECTION_MISMATCH", what))
    return findings


def _folded(connection: sqlite3.Connection, projections: Sequence[Projection], size: int) -> dict[str, str]:
    """Name → digest of the tables that the records come to. They are folded into a temporary database.

    Raises `RigError` for a record that cannot be read, and is not noted as unreadable.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as target:
        for each in projections:
            make_tables(target, each)
        first = 0
        while page := connection.execute(READ_NOTED, (first, size, PAGE)).fetchall():
            apply_page(target, projections, [(kind, rec) for _, kind, rec in page])
            first = page[-1][0] + 1
        return {each.name: digest(target, each).digest for each in projections}


def _finding(code: str, message: str) -> Finding:
    return Finding(code=code, message=f"the replica of the platform's record: {message}")
