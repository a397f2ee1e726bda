"""The journal: an append-only record, chained, signed and pinned. The only writer of its file.

docs/journal.md describes the format. One object may be used by several threads of a process, and one file by several
processes: every append takes SQLite's write lock first, so positions have no gaps and give the order.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.files import private_folder
from rig.kernel.ids import SystemClock
from rig.kernel.ports import Clock, Draft, OutboxRow, Recorded, Settled, Stamp
from storage import files, keys, record
from storage.checkpoint import KEPT_EVERY, Checkpoint, sign
from storage.database import connect, is_damage, is_misfit, is_read_only, transaction, unavailable
from storage.head import read_head
from storage.merkle import leaf_hash
from storage.pin import Pin
from storage.projections import runner
from storage.projections.base import Projection
from storage.schema import SCHEMA_VERSION, check
from storage.streams import check_expected, versions_of

if TYPE_CHECKING:
    from rig.contract.evidence import Folded
    from rig.contract.verification import JournalReport, Verification
    from storage.archive import Cut

T = TypeVar("T")


class Journal:
    """Implements `rig.kernel.ports.Journal`. Made by :meth:`open`; :meth:`close` lets go of the file."""

    def __init__(self, path: str, name: str, projections: Sequence[Projection], clock: Clock, timeout: float) -> None:
        self.path = path
        self.key_path = os.path.splitext(path)[0] + ".key"
        self.pin = Pin(os.path.join(os.path.dirname(path), "pins"), name)
        self.pin_error = ""
        """Why the last checkpoint could not be pinned; empty while all is well."""
        self._name = name
        self.projections = tuple(projections)
        self._clock = clock
        self.timeout = timeout
        self._keys: keys.Keys | None = None
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._fault: RigError | None = None
        """Why neither reading nor writing is possible; `verify` and `info` still are."""
        self._older: RigError | None = None
        """Why the file could not be brought to the schema of this version; it is read as it is."""
        # Two locks: who reads in one thread does not wait for the disk of who writes in another.
        self._writing = RLock()
        self._reading = RLock()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        origin: str,
        projections: Sequence[Projection] = (),
        clock: Clock | None = None,
        timeout: float = 10.0,
    ) -> Journal:
        """Open the journal, and make it, its folder and its key where they are missing.

        ``origin`` is the part that it plays (``client``, ``node``): its pin is kept under this name in ``pins/`` beside
        it. ``timeout`` is how long an append waits for other processes, in seconds. A journal that can be read and not
        written opens, and refuses to append; a damaged one opens too, and can only be verified. Raises `RigError`
        ``journal_unavailable``.
        """
        journal = cls(os.path.abspath(os.fspath(path)), origin, projections, clock or SystemClock(), timeout)
        try:
            journal._create()
            journal._prepare()
        except BaseException as error:
            journal.close()
            if not isinstance(error, OSError | sqlite3.Error):
                raise
            fault = unavailable(journal.path, error)
            if not is_damage(error) and not is_misfit(error):
                raise fault from error
            journal._fault = fault
        return journal

    def append(
        self,
        drafts: Sequence[Draft],
        stamp: Stamp,
        *,
        expect: Mapping[str, int] | None = None,
        idem: str = "",
        outbox: OutboxRow | None = None,
        settle: Settled | None = None,
    ) -> list[Recorded]:
        """See `rig.kernel.ports.Journal.append`."""
        with self._writing:
            try:
                connection, signer = self._write_connection(), self._signer()
                with transaction(connection):
                    appended = self._append(connection, signer, drafts, stamp, expect or {}, idem)
                    if outbox is not None:
                        _enqueue(connection, outbox)
                    if settle is not None:
                        connection.execute("UPDATE outbox SET state = ? WHERE idem = ?", (settle.state, settle.idem))
                    failpoint("journal.inserted")
                failpoint("journal.committed")
            except (OSError, sqlite3.Error) as error:
                raise unavailable(self.path, error) from error
            recorded, checkpoint = appended
            if checkpoint is not None:
                self._advance_pin(checkpoint)
            failpoint("journal.pinned")
            return recorded

    def beat(self) -> bool:
        """Sign that nothing was appended for a while, if it is so; whether it is. See `storage.heartbeat`."""
        from storage.heartbeat import beat

        with self._writing:
            try:
                connection, signer = self._write_connection(), self._signer()
                with transaction(connection):
                    return beat(connection, signer, self._clock.now())
            except (OSError, sqlite3.Error) as error:
                raise unavailable(self.path, error) from error

    def stream(self, name: str, after: int = 0) -> list[Recorded]:
        """See `rig.kernel.ports.Journal.stream`."""
        return self._records("stream = ? AND ver > ? ORDER BY ver", (name, after))

    def read(self, after: int = -1, limit: int = 1000) -> list[Recorded]:
        """See `rig.kernel.ports.Journal.read`."""
        return self._records("pos > ? ORDER BY pos LIMIT ?", (after, limit))

    def by_idem(self, key: str) -> Recorded | None:
        """See `rig.kernel.ports.Journal.by_idem`."""
        found = self._records("idem = ?", (key,))
        return found[0] if found else None

    def rows(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
        """See `rig.kernel.ports.Journal.rows`."""

        def query(connection: sqlite3.Connection) -> list[dict[str, Any]]:
            cursor = connection.execute(sql, parameters)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        if self._read(lambda connection: runner.lagging(connection, self.projections)):
            self._catch_up()
        return iter(self._read(query))

    def digest_secret(self, value: str) -> str:
        """See `rig.kernel.ports.Journal.digest_secret`."""
        return self._signer().digest_secret(value)

    def keep_witness(self, note: str, verifier: str) -> None:
        """See `rig.kernel.ports.Journal.keep_witness`."""
        from storage import cosigned

        try:
            cosigned.keep(os.path.dirname(self.pin.path), note, verifier)
        except (OSError, ValueError) as error:
            raise unavailable(self.pin.path, error) from error

    def verify(self) -> Verification:
        """See `rig.kernel.ports.Journal.verify`."""
        from storage.verify import verify

        return verify(self.path, self.key_path, self.pin, projections=self.projections, timeout=self.timeout)

    def rebuild(self, projections: Sequence[Projection]) -> tuple[int, list[Folded]]:
        """Make the tables of these projections anew; gives the number of records and digests of the tables."""
        from storage.fold import digest

        with self._writing:
            try:
                connection = self._write_connection()
                runner.rebuild(connection, self.path, projections)
                size = connection.execute("SELECT coalesce(max(size - min_pos), 0) FROM head").fetchone()[0]
                return size, [digest(connection, projection) for projection in projections]
            except (OSError, sqlite3.Error) as error:
                raise unavailable(self.path, error) from error

    def cut(self, cut: Cut, stamp: Stamp) -> int:
        """Take out the records that were archived, and record that; gives how many are left. Raises `RigError`."""
        from storage.cut import refuse_others, take_out

        with self._writing:
            try:
                connection, signer = self._write_connection(), self._signer()
                refuse_others(connection, self.projections)
                with transaction(connection):
                    draft = Draft(stream="journal:archive", fact=take_out(connection, cut, self.projections))
                    _, checkpoint = self._append(connection, signer, [draft], stamp, {}, "")
                    left: int = connection.execute("SELECT size - min_pos FROM head").fetchone()[0]
                assert checkpoint is not None
                self._advance_pin(checkpoint)
                runner.bring_up(connection, self.path, self.projections)
            except (OSError, sqlite3.Error) as error:
                raise unavailable(self.path, error) from error
            with suppress(sqlite3.Error):  # the room is used again in any case
                connection.execute("VACUUM")
            return left

    def info(self) -> JournalReport:
        """See `rig.kernel.ports.Journal.info`."""
        from storage.info import report

        return report(self.path, self.key_path, self.pin, pin_error=self.pin_error, timeout=self.timeout)

    def close(self) -> None:
        """Close the file. The object cannot be used any more."""
        with self._writing, self._reading:
            for connection in (self._writer, self._reader):
                if connection is not None:
                    connection.close()
            self._writer = self._reader = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create(self) -> None:
        files.refuse_link(self.path)
        files.refuse_network_file_system(self.path)
        if os.path.exists(self.path):
            return
        private_folder(os.path.dirname(self.path))
        # The key first: a database without one was robbed of it, and is never given another.
        if not os.path.exists(self.key_path):
            keys.create(self.key_path, self._name)
        files.create_private(self.path)

    def _prepare(self) -> None:
        """Bring the schema and the projections up to date. A file that cannot be written is taken as it is."""
        connection = connect(self.path, timeout=self.timeout)
        self._writer = connection
        version = check(connection, self.path)
        if version != SCHEMA_VERSION:
            from storage.migrate import migrate

            try:
                migrate(connection, self.path)
            except sqlite3.Error as error:
                if not (version and is_read_only(error)):
                    raise
                self._older = unavailable(self.path, error)
                return
        if runner.lagging(connection, self.projections):
            self._catch_up()

    def _catch_up(self) -> None:
        if self._older is not None:
            return
        with self._writing:
            try:
                runner.bring_up(self._write_connection(), self.path, self.projections)
            except (OSError, sqlite3.Error) as error:
                if not is_read_only(error):
                    raise unavailable(self.path, error) from error

    def _append(
        self,
        connection: sqlite3.Connection,
        signer: keys.Keys,
        drafts: Sequence[Draft],
        stamp: Stamp,
        expect: Mapping[str, int],
        idem: str,
    ) -> tuple[list[Recorded], Checkpoint | None]:
        """Insert the records, the checkpoint and the new head, inside a transaction."""
        try:
            frontier, tip, last_at = read_head(connection, signer.origin, self.pin)
        except ValueError as error:
            raise self._altered(str(error)) from error
        size = frontier.size
        versions = versions_of(connection, {draft.stream for draft in drafts} | expect.keys())
        check_expected(versions, expect)
        if idem and connection.execute("SELECT 1 FROM event WHERE idem = ?", (idem,)).fetchone():
            raise RigError("key_reused", f"The idempotency key {idem} is on the record already.", "Use a new key.")
        recorded: list[Recorded] = []
        newest = None
        for draft in drafts:
            versions[draft.stream] += 1
            at = self._clock.now()
            made = record.make(
                draft,
                stamp,
                pos=frontier.size,
                ver=versions[draft.stream],
                prev=tip,
                at=at,
                idem=idem if not recorded else "",
                # A clock that was set back is said so, and not repaired: the order is that of the positions.
                meta={"clock_back_us": (last_at - at) // 1000} if at < last_at else {},
            )
            data = record.encode(made)
            tip, last_at = leaf_hash(data), at
            connection.execute(record.INSERT, (made.pos, data.decode(), tip, *record.columns(made)))
            frontier.append(tip)
            recorded.append(record.view(made, draft.fact))
            if frontier.size % KEPT_EVERY == 0 or len(recorded) == len(drafts):
                newest = sign(signer.private, signer.public, signer.origin, frontier.size, frontier.root())
                connection.execute("INSERT INTO checkpoint(size, note) VALUES (?, ?)", (newest.size, newest.note))
        if newest is not None:
            if size % KEPT_EVERY:
                connection.execute("DELETE FROM checkpoint WHERE size = ?", (size,))
            connection.execute(
                "UPDATE head SET size = ?, tip = ?, frontier = ?, last_at = ?",
                (frontier.size, tip, frontier.pack(), last_at),
            )
            runner.fold(connection, self.projections, size, recorded)
        return recorded, newest

    def _altered(self, reason: str) -> RigError:
        return RigError(
            "journal_unavailable",
            f"The journal {self.path} is not as rig left it: {reason}.",
            "Run `rig journal verify`; restore the newest copy, or, to begin anew and keep this one as evidence, "
            f"move {self.path}, {self.key_path} and {self.pin.path} away.",
        )

    def _advance_pin(self, checkpoint: Checkpoint) -> None:
        try:
            self.pin.advance(checkpoint)
            self.pin_error = ""
        except (OSError, ValueError) as error:
            # The records are durable by now, and the older pin is still true; `info` and `verify` show the distance.
            self.pin_error = str(error)

    def _signer(self) -> keys.Keys:
        if self._keys is None:
            self._keys = keys.load(self.key_path)
        if self._keys is None:
            raise RigError(
                "journal_unavailable",
                f"The key of the journal, {self.key_path}, is gone, and without it nothing can be signed.",
                f"Put it back from a backup, or, to begin anew, move {self.path} and {self.pin.path} away.",
            )
        return self._keys

    def _write_connection(self) -> sqlite3.Connection:
        if fault := self._fault or self._older:
            raise fault
        if self._writer is None:
            self._writer = connect(self.path, timeout=self.timeout)
        return self._writer

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query on the reading connection, to its end: an open cursor would hold up every writer."""
        with self._reading:
            if self._fault is not None:
                raise self._fault
            try:
                if self._reader is None:
                    self._reader = connect(self.path, read_only=True, timeout=self.timeout)
                return query(self._reader)
            except sqlite3.Error as error:
                raise unavailable(self.path, error) from error

    def _records(self, where: str, parameters: Sequence[Any]) -> list[Recorded]:
        sql = f"SELECT rec FROM event WHERE {where}"  # noqa: S608 - `where` is one of three constants
        found = self._read(lambda connection: connection.execute(sql, parameters).fetchall())
        return [record.recorded(rec) for (rec,) in found]


def _enqueue(connection: sqlite3.Connection, row: OutboxRow) -> None:
    connection.execute(
        "INSERT INTO outbox(key, idem, fingerprint, body, state) VALUES (?, ?, ?, ?, 'pending')",
        (row.key, row.idem, bytes.fromhex(row.fingerprint), row.body.decode()),
    )
