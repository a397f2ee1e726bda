"""An export as a read-only database: records, checkpoint and projections, in the tables of a journal.

It is not a journal: nothing can be appended, no key belongs to it, and of picked records it has gaps. Its application
id says so. What the export was, word by word, stands in the table ``evidence``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import msgspec

from rig.contract.evidence import Imported
from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded
from storage import archive, record
from storage.database import transaction, unavailable
from storage.files import create_private
from storage.fold import stored_records
from storage.merkle import leaf_hash
from storage.migrate import migrate
from storage.projections import runner
from storage.projections.base import Projection
from storage.projections.folding import fold_range, make_indexes, make_tables
from storage.verify_export import Export

APPLICATION_ID = 0x52494745
"""``RIGE``, at byte 68 of the file."""
EVIDENCE = """
CREATE TABLE evidence(
    one INTEGER PRIMARY KEY CHECK (one = 1),
    header TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL
) STRICT
"""


def make(export: Export, path: str, projections: Sequence[Projection]) -> Imported:
    """Make the database of a verified export. Raises `RigError`, ``already_exists`` where the file is there."""
    if os.path.lexists(path):
        raise RigError("already_exists", f"{path} is there already.", "Name another file: `--to FILE`.")
    partial = f"{path}.{os.getpid()}.partial"
    try:
        create_private(partial)
        with closing(sqlite3.connect(partial, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=OFF")  # it is synced as a whole, before it gets its name
            _fill(connection, partial, export, projections)
        descriptor = os.open(partial, os.O_RDWR)
        os.fsync(descriptor)
        os.close(descriptor)
        os.chmod(partial, 0o400)
        os.replace(partial, path)
    except (sqlite3.Error, OSError) as error:
        raise RigError("usage", f"{path} cannot be made: {error}.", "Name a file in a folder that is there.") from error
    finally:
        for leftover in (partial, f"{partial}-journal"):
            if os.path.lexists(leftover):
                os.unlink(leftover)
    return Imported(
        file=path,
        origin=export.header["origin"],
        records=export.count,
        first=export.header["first"],
        end=export.header["end"],
        complete=export.complete,
        root=export.root.hex(),
    )


def _fill(connection: sqlite3.Connection, path: str, export: Export, projections: Sequence[Projection]) -> None:
    migrate(connection, path)
    header = export.header
    with transaction(connection):
        connection.execute(EVIDENCE)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID:d}")
        words = msgspec.json.encode(header, order="sorted").decode()
        row = (words, archive.digest_of(export.path), export.size, export.root)
        connection.execute("INSERT INTO evidence VALUES (1, ?, ?, ?, ?)", row)
        connection.executemany(record.INSERT, _rows(export))
        for projection in projections:
            make_tables(connection, projection)
        fold_range(connection, connection, "event", projections, header["first"], header["end"])
        for projection in projections:
            make_indexes(connection, projection)
            runner.store(connection, projection, header["end"])


def _rows(export: Export) -> Iterator[tuple[Any, ...]]:
    for data in stored_records(export):
        made = record.parse(data)
        yield (made.pos, data.decode(), leaf_hash(data), *record.columns(made))


class ImportedJournal:
    """The reading half of `rig.kernel.ports.Journal`, over such a database. A context manager."""

    def __init__(self, path: str) -> None:
        """Raises `RigError` where the file is none that `rig journal import` made."""
        self.path = path
        application = 0
        try:
            self._connection = sqlite3.connect(f"file:{_quoted(path)}?mode=ro&immutable=1", uri=True)
            application = self._connection.execute("PRAGMA application_id").fetchone()[0]
        except sqlite3.OperationalError as error:
            raise unavailable(path, error) from error
        except sqlite3.DatabaseError:  # it is no database at all
            pass
        if application != APPLICATION_ID:
            self._connection.close()
            raise RigError(
                "invalid_data",
                f"{path} was not made by `rig journal import`.",
                "Make one of an export: `rig journal import EXPORT`.",
            )

    def __enter__(self) -> ImportedJournal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @property
    def header(self) -> dict[str, Any]:
        """The first line of the export."""
        found = self._connection.execute("SELECT header FROM evidence").fetchone()
        return msgspec.json.decode(found[0], type=dict[str, Any])

    def rows(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
        """See `rig.kernel.ports.Journal.rows`."""
        try:
            cursor = self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            raise unavailable(self.path, error) from error
        names = [column[0] for column in cursor.description or ()]
        return iter([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])

    def read(self, after: int = -1, limit: int = 1000) -> list[Recorded]:
        """See `rig.kernel.ports.Journal.read`."""
        return self._records("pos > ? ORDER BY pos LIMIT ?", (after, limit))

    def stream(self, name: str, after: int = 0) -> list[Recorded]:
        """See `rig.kernel.ports.Journal.stream`."""
        return self._records("stream = ? AND ver > ? ORDER BY ver", (name, after))

    def by_idem(self, key: str) -> Recorded | None:
        """See `rig.kernel.ports.Journal.by_idem`."""
        found = self._records("idem = ?", (key,))
        return found[0] if found else None

    def _records(self, where: str, parameters: Sequence[Any]) -> list[Recorded]:
        sql = f"SELECT rec FROM event WHERE {where}"  # noqa: S608 - `where` is one of three constants
        return [record.recorded(row["rec"]) for row in self.rows(sql, parameters)]


def _quoted(path: str) -> str:
    """A path as it stands in a URI of SQLite."""
    return os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
