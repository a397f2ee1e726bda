"""A replica of a platform's journal, kept by a client: what it may see of the records, and the hashes of the rest.

Whatever comes is checked before it is kept: each record against its hash, the hashes against the tree that the platform
signed, the tree against the one of which the replica holds the beginning. So a platform that rewrites its past, or goes
back to an older state, is caught by every client that saw the past; what it showed stays here as evidence.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from typing import Any

from rig.contract.evidence import Exported
from rig.contract.replica import RecordPage
from rig.contract.review import Replicated
from rig.contract.verification import Finding
from rig.kernel.errors import RigError
from rig.kernel.files import private_folder
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Recorded
from storage import record
from storage.database import connect, is_damage, transaction, unavailable
from storage.export import Selection, export, exported, open_replica
from storage.files import create_private
from storage.merkle import Frontier
from storage.migrate import statements
from storage.projections.base import Projection
from storage.projections.folding import apply_all
from storage.replica_checks import Checked, checked, columns_of, findings_in, signed
from storage.replica_tables import findings_in_tables, left_out, pages, readable

VERSION = 2
"""Of the tables below. A replica of another version is made anew from the platform."""
FRESH = 60 * 1_000_000_000
"""Nanoseconds for which it is not noted again that nothing new has come."""

DDL = """
CREATE TABLE head(
    one INTEGER PRIMARY KEY CHECK (one = 1),
    origin TEXT NOT NULL,
    verifier TEXT NOT NULL,
    size INTEGER NOT NULL,
    tip BLOB NOT NULL,
    frontier BLOB NOT NULL,
    first INTEGER NOT NULL,
    before BLOB NOT NULL,
    note TEXT NOT NULL,
    synced_at INTEGER NOT NULL,
    forked TEXT NOT NULL
) STRICT;
CREATE TABLE event(
    pos INTEGER PRIMARY KEY,
    leaf BLOB NOT NULL,
    rec TEXT,
    id TEXT,
    stream TEXT,
    ver INTEGER,
    type TEXT,
    corr TEXT
) STRICT;
CREATE INDEX event_id ON event(id) WHERE id IS NOT NULL;
CREATE INDEX event_stream ON event(stream, ver) WHERE stream IS NOT NULL;
CREATE INDEX event_corr ON event(corr) WHERE corr IS NOT NULL;
CREATE INDEX event_withheld ON event(pos) WHERE rec IS NULL;
CREATE TABLE unreadable(pos INTEGER PRIMARY KEY) STRICT;
CREATE TABLE projection(name TEXT PRIMARY KEY, code_version INTEGER NOT NULL, pos INTEGER NOT NULL) STRICT;
"""


class Replica:
    """Implements `rig.kernel.ports.Replica`. One file per platform; nothing is made before there is something to keep.

    ``path`` is named after the address of the platform, never after what the platform says of itself.
    """

    def __init__(self, path: str, projections: Sequence[Projection] = (), *, timeout: float = 10.0) -> None:
        self.path = path
        self._projections = tuple(projections)
        self._timeout = timeout
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # -- asking -----------------------------------------------------------------------------------------------------

    def state(self) -> Replicated | None:
        """See `rig.kernel.ports.Replica.state`."""
        head = self._head()
        if head is None:
            return None
        connection = self._open()
        withheld = connection.execute("SELECT count(*) FROM event WHERE rec IS NULL").fetchone()[0]
        unreadable = connection.execute("SELECT count(*) FROM unreadable").fetchone()[0]
        return Replicated(
            origin=head["origin"],
            verifier=head["verifier"],
            size=head["size"],
            withheld=withheld,
            unreadable=unreadable,
            synced_at=rfc3339(head["synced_at"]),
            forked=head["forked"],
        )

    def forked(self) -> str | None:
        """See `rig.kernel.ports.Replica.forked`."""
        head = self._head()
        return str(head["forked"]) if head is not None else None

    def size(self) -> int:
        """See `rig.kernel.ports.Replica.size`."""
        head = self._head()
        return int(head["size"]) if head is not None else 0

    def stream(self, name: str, after: int = 0) -> list[Recorded]:
        """The records of one stream that may be seen, oldest first."""
        sql = "SELECT rec FROM event WHERE stream = ? AND ver > ? AND rec IS NOT NULL ORDER BY ver"
        found = [readable(row["rec"]) for row in self.rows(sql, (name, after))]
        return [one for one in found if one is not None]

    def rows(self, sql: str, parameters: Any = ()) -> Iterator[dict[str, Any]]:
        """Rows of the tables, none where nothing was replicated yet; read-only."""
        if not os.path.exists(self.path):
            return iter(())
        try:
            cursor = self._open().execute(sql, parameters)
            names = [column[0] for column in cursor.description or ()]
            return iter([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])
        except sqlite3.Error as error:
            raise self._unavailable(error) from error

    def verify(self) -> list[Finding]:
        """See `rig.kernel.ports.Replica.verify`."""
        head = self._head()
        if head is None:
            return []
        try:
            return findings_in(head, self.rows) or findings_in_tables(self.path, self._projections, self._timeout)
        except sqlite3.Error as error:
            raise self._unavailable(error) from error
        except ValueError as error:
            return [
                Finding(code="DAMAGED", message=f"the replica of the platform's record: checking it failed: {error}")
            ]

    def export(
        self, write: Callable[[str], Any], *, positions: Sequence[int], chosen_by: dict[str, str], at: int
    ) -> Exported:
        """See `rig.kernel.ports.Replica.export`."""
        with closing(open_replica(self.path, self._timeout)) as source:
            chosen = Selection(first=source.tree.base, positions=positions, filter=chosen_by)
            try:
                written = export(
                    source,
                    lambda data: write(data.decode()),
                    chosen,
                    verifier=source.verifier,
                    exported_at=rfc3339(at),
                )
            except sqlite3.Error as error:
                raise self._unavailable(error) from error
            return exported(written, source.verifier, complete=False)

    # -- keeping ----------------------------------------------------------------------------------------------------

    def extend(self, page: RecordPage, *, asked: int, at: int) -> bool:
        """See `rig.kernel.ports.Replica.extend`."""
        head = self._head()
        if (head["size"] if head is not None else 0) != asked:
            return True  # Another process was faster: the page says nothing about what is here now.
        if head is not None and head["size"] < page.first:
            raise RigError(
                "unverifiable",
                f"The platform has archived its records up to {page.first}, and those from {head['size']} on were never"
                " seen here.",
                f"Move {self.path} away; `rig audit --sync` begins a new replica behind the archive.",
            )
        try:
            checkpoint = signed(page)
            frontier, tip = self._beginning(page, head)
            records = checked(page, frontier, tip)
        except ValueError as contradiction:
            raise self._fork(page, str(contradiction), at) from contradiction
        if checkpoint is None:
            return False
        if checkpoint.size != frontier.size or checkpoint.root != frontier.root():
            lost = checkpoint.size < frontier.size
            what = (
                f"it signed {checkpoint.size} records, and {frontier.size} of it are known here"
                if lost
                else (f"its records up to {checkpoint.size} are not the ones that it showed before")
            )
            raise self._fork(page, what, at)
        if records or head is None or at - head["synced_at"] > FRESH:
            try:
                self._keep(page, head, frontier, records, at)
            except sqlite3.Error as error:
                raise self._unavailable(error) from error
        return frontier.size < page.size

    def begin_anew(self, at: int) -> str:
        """Put the replica aside, as evidence, because the platform has another journal now. Gives its new path."""
        self.close()
        kept = f"{self.path.removesuffix('.sqlite')}.until-{rfc3339(at)[:19].replace(':', '')}.sqlite"
        os.replace(self.path, kept)
        return kept

    def _beginning(self, page: RecordPage, head: dict[str, Any] | None) -> tuple[Frontier, bytes | None]:
        """The tree that the page continues. Raises `ValueError` where it does not continue the one that is here."""
        if head is None:
            frontier = Frontier(page.first, bytes.fromhex(page.frontier))
            return frontier, record.GENESIS if page.first == 0 else None
        if page.origin != head["origin"] or page.verifier != head["verifier"]:
            raise ValueError(f"it has another journal, {page.origin}, than the one seen before, {head['origin']}")
        if page.first != head["size"] and page.size >= head["size"]:
            raise ValueError(f"it shows records from {page.first} on where those from {head['size']} on were asked for")
        return Frontier(head["size"], head["frontier"]), head["tip"]

    def _fork(self, page: RecordPage, what: str, at: int) -> RigError:
        """Note a contradiction, so that every later command tells of it too; gives the error."""
        if self._head() is not None:
            connection = self._open(write=True)
            with transaction(connection):
                connection.execute("UPDATE head SET forked = ?", (f"{what} (found {rfc3339(at)})",))
        return forked(what, self.path, page.checkpoint)

    def _keep(
        self, page: RecordPage, head: dict[str, Any] | None, frontier: Frontier, records: list[Checked], at: int
    ) -> None:
        connection = self._open(write=True)
        first = frontier.size - len(records)
        tip = records[-1].leaf if records else head["tip"] if head else b""
        with transaction(connection):
            found = connection.execute("SELECT size FROM head").fetchone()
            if found is not None and found[0] != first:
                return  # another process was faster, with the same records
            for pos, (leaf, rec, parsed) in enumerate(records, first):
                row = (pos, leaf, rec or None, *columns_of(parsed))
                connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._fold(connection)
            connection.execute(
                "INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    page.origin, page.verifier, frontier.size, tip, frontier.pack(),
                    # The tree over what was archived before the first record that came.
                    head["first"] if head else page.first, head["before"] if head else bytes.fromhex(page.frontier),
                    page.checkpoint, at,
                    # A platform that contradicted itself once is not forgiven for being consistent again.
                    head["forked"] if head else "",
                ),
            )  # fmt: skip

    # -- projections ------------------------------------------------------------------------------------------------

    def _fold(self, connection: sqlite3.Connection) -> None:
        """Bring every projection up to the records. Inside a transaction."""
        if left_out(connection):
            connection.execute("DELETE FROM unreadable")
            again = [(each.name, each.version) for each in self._projections]
            connection.executemany("DELETE FROM projection WHERE name = ? AND code_version <= ?", again)
        known = {
            name: (version, pos)
            for name, version, pos in connection.execute("SELECT name, code_version, pos FROM projection")
        }
        behind: dict[int, list[Projection]] = {}
        for projection in self._projections:
            version, pos = known.get(projection.name, (0, 0))
            if version > projection.version:
                continue  # of a newer rig, which will catch up
            if version < projection.version:
                for table in projection.tables:
                    connection.execute(f'DROP TABLE IF EXISTS "{table}"')
                for statement in statements(projection.ddl):
                    connection.execute(statement)
                pos = 0
            behind.setdefault(pos, []).append(projection)
        for pos, projections in behind.items():
            self._apply(connection, projections, pos)
            connection.executemany(
                "INSERT OR REPLACE INTO projection SELECT ?, ?, coalesce(max(pos) + 1, 0) FROM event",
                [(projection.name, projection.version) for projection in projections],
            )

    def _apply(self, connection: sqlite3.Connection, projections: Sequence[Projection], pos: int) -> None:
        """Fold the records from a position on into several projections at once: each is decoded once."""
        for records in pages(connection, pos):
            unreadable = [(place,) for place, recorded in records if recorded is None]
            connection.executemany("INSERT OR IGNORE INTO unreadable VALUES (?)", unreadable)
            apply_all(connection, projections, [recorded for _, recorded in records if recorded is not None])

    def _unavailable(self, error: sqlite3.Error) -> RigError:
        """What is said of a file that cannot be used. Nothing is lost with one that is damaged."""
        if not is_damage(error):
            return unavailable(self.path, error)
        return RigError(
            "journal_unavailable",
            f"The replica of the platform's record, {self.path}, is damaged ({error}).",
            "Move it away; `rig audit --sync` fetches it again.",
            damaged=True,
        )

    # -- the file ---------------------------------------------------------------------------------------------------

    def _head(self) -> dict[str, Any] | None:
        return next(self.rows("SELECT * FROM head"), None)

    def _open(self, *, write: bool = False) -> sqlite3.Connection:
        if self._connection is None:
            if write:
                private_folder(os.path.dirname(self.path))
                create_private(self.path)
            self._connection = connection = connect(self.path, timeout=self._timeout)
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version != VERSION:
                self._create(connection)
            elif self._outdated(connection):
                with transaction(connection):
                    self._fold(connection)
        return self._connection

    def _create(self, connection: sqlite3.Connection) -> None:
        with transaction(connection):
            if connection.execute("PRAGMA user_version").fetchone()[0] == VERSION:
                return  # another process was faster
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
                connection.execute(f'DROP TABLE "{name}"')
            for statement in statements(DDL):
                connection.execute(statement)
            self._fold(connection)
            connection.execute(f"PRAGMA user_version={VERSION:d}")

    def _outdated(self, connection: sqlite3.Connection) -> bool:
        known = dict(connection.execute("SELECT name, code_version FROM projection").fetchall())
        older = any(known.get(projection.name, 0) < projection.version for projection in self._projections)
        return older or left_out(connection)


def file_name(url: str) -> str:
    """The name of the replica of the platform at an address: readable, and different for different addresses."""
    bare = url.partition("://")[2] or url
    readable_part = "".join(c if c.isalnum() or c in ".-" else "_" for c in bare.strip("/"))
    return f"{readable_part[:80]}-{sha256(url.encode()).hexdigest()[:8]}.sqlite"


def forked(what: str, path: str, note: str = "") -> RigError:
    """The error for a platform that contradicts what it showed before."""
    return RigError(
        "journal_forked",
        f"The platform's record is not the one that it was: {what}.",
        f"Keep {path} as evidence, and ask who runs the platform. `rig login` puts it aside and begins a new one.",
        checkpoint=note,
    )
