"""Folds the records of an export in memory, and digests what they come to.

The same records and the same code give the same digest on any machine, whatever its hash seed, time zone or language:
rows are read in the order of their keys and written as canonical JSON.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import islice

import msgspec

from events.codec import is_current
from rig.contract.evidence import Folded
from rig.kernel.errors import RigError
from storage import record
from storage.merkle import Frontier, leaf_hash
from storage.projections.base import Projection
from storage.projections.folding import PAGE, apply_page, make_tables
from storage.verify_export import MAX_LINE, Export


def fold(
    export: Export, projections: Sequence[Projection], *, until_pos: int | None = None, until: int | None = None
) -> tuple[list[Folded], int]:
    """Fold a verified export; gives the digests, and how many records were folded.

    ``until_pos`` is the first position, and ``until`` the first time, that is not folded any more. Raises `RigError`
    where a record cannot be read, or the file is not the one any more that was verified.
    """
    with sqlite3.connect(":memory:", isolation_level=None) as connection:
        connection.set_authorizer(_refuse_files)
        for projection in projections:
            make_tables(connection, projection)
        folded, stopped = 0, False
        for page in _pages(_records(export)):
            chosen = []
            for data in page:
                head = _head(data)
                stopped = stopped or head.pos == until_pos or (until is not None and int(head.at) >= until)
                if not stopped:
                    chosen.append((head.type, data.decode()))
            folded += len(chosen)
            apply_page(connection, projections, chosen)
        return [digest(connection, projection) for projection in projections], folded


class Head(msgspec.Struct, frozen=True, gc=False):
    """What of a record tells whether it is folded."""

    at: str
    pos: int
    sv: int
    type: str


_decode = msgspec.json.Decoder(Head).decode
_encoder = msgspec.json.Encoder()


def _head(data: bytes) -> Head:
    """Raises `RigError` for a record that this version of rig cannot read, whether a projection looks at it or not."""
    try:
        head = _decode(data)
    except msgspec.MsgspecError:
        head = None
    if head is None or not is_current(head.type, head.sv):
        record.recorded(data)  # an old shape can be read; what else is wrong is told
    return head or _decode(data)


def _pages(records: Iterator[bytes]) -> Iterator[list[bytes]]:
    while page := list(islice(records, PAGE)):
        yield page


def _refuse_files(action: int, *_: str | None) -> int:
    """No statement of a projection may reach another file."""
    return sqlite3.SQLITE_DENY if action in {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH} else sqlite3.SQLITE_OK


def _records(export: Export) -> Iterator[bytes]:
    """The records, once more; they have to come to the root that was verified."""
    frontier = Frontier(export.header["first"], b"".join(map(bytes.fromhex, export.header["frontier"])))
    for data in stored_records(export):
        frontier.append(leaf_hash(data))
        yield data
    if frontier.root() != export.end_root:
        raise RigError("tampered", f"{export.path} was changed while it was read.", "Take a copy that nobody writes.")


def stored_records(export: Export) -> Iterator[bytes]:
    """The lines of a verified export that are records."""
    with open(export.path, "rb") as file:
        file.readline(MAX_LINE)
        for _ in range(export.count):
            yield file.readline(MAX_LINE)[:-1]
            if not export.complete:
                file.readline(MAX_LINE)  # its proof


def digest(connection: sqlite3.Connection, projection: Projection) -> Folded:
    """A digest over the tables of a projection."""
    hashed, count = sha256(), 0
    for table in projection.tables:
        columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        keys = [name for _, name, _, _, _, key in sorted(columns, key=lambda column: column[5]) if key] or ["rowid"]
        order = ", ".join(f'"{key}"' for key in keys)
        hashed.update(msgspec.json.encode([table, [name for _, name, *_ in columns]]) + b"\n")
        rows = connection.execute(f'SELECT * FROM "{table}" ORDER BY {order}')  # noqa: S608 - names of columns
        while page := rows.fetchmany(PAGE):
            hashed.update(_encoder.encode_lines(page))
            count += len(page)
    return Folded(name=projection.name, version=projection.version, rows=count, digest=hashed.hexdigest())


def digest_of_all(folded: Sequence[Folded]) -> str:
    """One digest over those of several projections."""
    lines = sorted(f"{each.name} {each.version} {each.digest}\n" for each in folded)
    return sha256("".join(lines).encode()).hexdigest()
