"""Checks a journal from end to end, and never gives up half-way: whatever goes wrong is a finding.

The records are read by position in pages, and the read lock is let go between them, so others go on appending. What is
checked is the journal as it stood when the check began.
"""

from __future__ import annotations

import os
import sqlite3
from hashlib import sha256
from typing import Any

from rig.contract.audit import Finding, Verdict, Verification
from rig.kernel.errors import RigError
from storage import canonical, keys, record
from storage.checkpoint import Checkpoint, parse
from storage.checkpoint import verify as signature_is_good
from storage.database import connect
from storage.merkle import Frontier
from storage.pin import Pin

PAGE = 4000
MAX_FINDINGS = 1000

UNPROVEN = frozenset({"NO_PIN", "BAD_PIN", "NO_KEY", "UNREADABLE"})
"""Findings that show no tampering, but leave something that cannot be told."""

READ_RECORDS = f"""
SELECT pos, CAST(rec AS BLOB), leaf, {record.COLUMNS} FROM event
WHERE pos > ? AND pos <= ? ORDER BY pos LIMIT ?"""  # noqa: S608 - constants
"""`rec` as bytes: what was edited need not be UTF-8 any more."""
OUT_OF_REACH = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_READONLY")


def verify(path: str, key_path: str, pin: Pin, *, timeout: float = 10.0) -> Verification:
    """Check the journal ``path`` against the key and the pin that are kept outside it."""
    check = _Check(path)
    try:
        check.run(key_path, pin, timeout)
    except (sqlite3.Error, OSError) as error:
        away = isinstance(error, OSError) or getattr(error, "sqlite_errorname", "").startswith(OUT_OF_REACH)
        check.find("UNREADABLE" if away else "DAMAGED", f"the file cannot be read: {error}")
    except Exception as error:  # a file made by somebody else may break anything, and that has to be told, not raised
        check.find("DAMAGED", f"checking it failed: {type(error).__name__}: {error}")
    return check.report()


class _Check:
    """One run. ``frontier`` grows with the records; it is None behind a gap, where no root can be known."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.findings: list[Finding] = []
        self.keys: keys.Keys | None = None
        self.frontier: Frontier | None = Frontier()
        self.notes: dict[int, list[tuple[str, Checkpoint]]] = {}
        """By size: what the tree must be there, and who says so."""
        self.agreed = 0
        """The greatest size at which a checkpoint agreed."""
        self.signed = 0
        self.anchored = 0
        self.size = 0
        self.tip = record.GENESIS
        self.root = ""

    def find(self, code: str, message: str, first: int = -1, last: int = -1) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(code=code, message=message, first=first, last=max(first, last)))

    def report(self) -> Verification:
        codes = {finding.code for finding in self.findings}
        verdict: Verdict = "verified"
        if codes:
            verdict = "unverifiable" if codes <= UNPROVEN else "tampered"
        return Verification(
            verdict=verdict,
            path=self.path,
            origin=self.keys.origin if self.keys else "",
            size=self.size,
            root=self.root,
            checkpoints=self.signed,
            anchored=self.anchored,
            key_id=self.keys.key_id if self.keys else "",
            findings=self.findings,
        )

    def run(self, key_path: str, pin: Pin, timeout: float) -> None:
        self._read_key(key_path)
        pinned = self._read_pin(pin)
        if not os.path.exists(self.path):
            self._missing(pinned)
            return
        connection = connect(self.path, read_only=True, timeout=timeout)
        try:
            self._check_file(connection)
            head, end = self._read_head(connection)
            if pinned is not None:
                self.notes.setdefault(pinned.size, []).append(("the pin", pinned))
            self._check_records(connection, end)
            self._check_streams(connection)
            self._check_ends(head, pinned)
        finally:
            connection.close()

    def _read_key(self, key_path: str) -> None:
        try:
            self.keys = keys.load(key_path)
        except RigError as error:
            self.find("NO_KEY", error.message)
            return
        if self.keys is None:
            self.find("NO_KEY", f"the key {key_path} is not there, so no signature can be checked")

    def _read_pin(self, pin: Pin) -> Checkpoint | None:
        # Before the head: whatever was pinned by now has been committed before it.
        try:
            pinned = pin.read()
        except (ValueError, OSError) as error:
            self.find("BAD_PIN", f"the pin {pin.path} cannot be read: {error}")
            return None
        if pinned is not None and self.keys is not None:
            if not signature_is_good(pinned.note, self.keys.origin, self.keys.public):
                self.find("BAD_SIGNATURE", f"the pin {pin.path} does not carry a good signature of this journal's key")
            elif pinned.origin != self.keys.origin:
                self.find("WRONG_ORIGIN", f"the pin is that of {pinned.origin}")
        return pinned

    def _missing(self, pinned: Checkpoint | None) -> None:
        if pinned is not None:
            self.find("ROLLED_BACK", f"the file is gone; {pinned.size} records were pinned", 0, pinned.size - 1)
        else:
            self.find("UNREADABLE", "there is no such file")

    def _check_file(self, connection: sqlite3.Connection) -> None:
        for (line,) in connection.execute("PRAGMA integrity_check(20)").fetchall():
            if line != "ok":
                self.find("DAMAGED", f"the database file is damaged: {line}")

    def _read_head(self, connection: sqlite3.Connection) -> tuple[tuple[Any, ...] | None, int]:
        """The head, and the position where the check ends; both as of one moment, with the checkpoints."""
        connection.execute("BEGIN")
        head = connection.execute("SELECT origin, size, tip, frontier, last_at, min_pos FROM head").fetchone()
        stored = connection.execute("SELECT size, note FROM checkpoint ORDER BY size").fetchall()
        last = connection.execute("SELECT max(pos) FROM event").fetchone()[0]
        connection.execute("COMMIT")
        for size, note in stored:
            self._read_checkpoint(size, note)
        return head, -1 if last is None else last

    def _read_checkpoint(self, size: int, note: str) -> None:
        try:
            checkpoint = parse(note)
        except ValueError as error:
            self.find("BAD_SIGNATURE", f"the checkpoint at {size} is no signed note: {error}")
            return
        if checkpoint.size != size:
            self.find("COLUMN_MISMATCH", f"the checkpoint stored at {size} is over {checkpoint.size} records")
        if self.keys is not None:
            if checkpoint.origin != self.keys.origin:
                self.find("WRONG_ORIGIN", f"the checkpoint at {size} is that of {checkpoint.origin}")
            elif not signature_is_good(note, self.keys.origin, self.keys.public):
                self.find("BAD_SIGNATURE", f"the checkpoint at {size} was not signed by this journal's key")
                return
            self.signed += 1
        self.notes.setdefault(checkpoint.size, []).append(("the signed checkpoint", checkpoint))

    def _check_records(self, connection: sqlite3.Connection, end: int) -> None:
        after, expected = -1, 0
        self._compare_roots(0)
        while page := self._read_page(connection, after, end):
            for row in page:
                if row[0] != expected:
                    self.find("GAP", f"records {expected} to {row[0] - 1} are missing", expected, row[0] - 1)
                    self.frontier = None
                self._check_record(row, after_gap=row[0] != expected)
                expected = row[0] + 1
            after = page[-1][0]
        self.root = self.frontier.root().hex() if self.frontier else ""

    def _read_page(self, connection: sqlite3.Connection, after: int, end: int) -> list[tuple[Any, ...]]:
        try:
            return connection.execute(READ_RECORDS, (after, end, PAGE)).fetchall()
        except sqlite3.OperationalError:
            # A column that is not UTF-8 any more must not hide the records around it.
            connection.text_factory = lambda data: data.decode(errors="surrogateescape")
            return connection.execute(READ_RECORDS, (after, end, PAGE)).fetchall()

    def _check_record(self, row: tuple[Any, ...], *, after_gap: bool) -> None:
        pos, data, leaf = row[:3]
        self.size += 1
        if sha256(b"\x00" + data).digest() != leaf:
            self.find("EDITED", f"record {pos} was edited: its hash is no longer the one that was kept", pos)
        try:
            parsed = record.parse_open(data)
            if not canonical.writes(parsed, data):
                self.find("NOT_CANONICAL", f"record {pos} is not in canonical form", pos)
            if not after_gap and parsed.prev != self.tip.hex():
                self.find("CHAIN_BREAK", f"record {pos} does not follow the one before it", pos)
            if (parsed.pos, *record.columns(parsed)) != (pos, *row[3:]):
                self.find("COLUMN_MISMATCH", f"record {pos} says something else than the columns made from it", pos)
        except (ValueError, RecursionError) as error:
            self.find("EDITED", f"record {pos} is no record: {error}", pos)
        # What was kept as the leaf goes on counting, so that one edited record is one finding.
        self.tip = leaf if isinstance(leaf, bytes) else b""
        if self.frontier is not None:
            self.frontier.append(self.tip)
            self._compare_roots(self.frontier.size)

    def _compare_roots(self, size: int) -> None:
        if self.frontier is None or size not in self.notes:
            return
        root = self.frontier.root()
        for witness, checkpoint in self.notes.pop(size):
            if checkpoint.root == root:
                self.agreed = size
                if witness == "the pin":
                    self.anchored = size
            else:
                span = f"records {self.agreed} to {size - 1}"
                message = f"{span} are not the ones that {witness} at {size} was made over"
                self.find("ROOT_MISMATCH", message, self.agreed, size - 1)

    def _check_streams(self, connection: sqlite3.Connection) -> None:
        query = (
            "SELECT stream, count(*), min(ver), max(ver) FROM event GROUP BY stream "
            "HAVING min(ver) <> 1 OR max(ver) <> count(*) LIMIT 20"
        )
        for stream, count, low, high in connection.execute(query).fetchall():
            self.find("STREAM_GAP", f"the stream {stream} has {count} records with versions {low} to {high}")

    def _check_ends(self, head: tuple[Any, ...] | None, pinned: Checkpoint | None) -> None:
        """What says how long the journal is must agree: head, newest checkpoint, pin."""
        for size, notes in sorted(self.notes.items()):
            for witness, _ in notes:
                if size > self.size and witness == "the pin":
                    lost = f"{size} records were pinned, and {self.size} are here: it was replaced by an older state"
                    self.find("ROLLED_BACK", lost, self.size, size - 1)
                elif size > self.size:
                    lost = f"a signed checkpoint covers {size} records, and {self.size} are here"
                    self.find("TRUNCATED", lost, self.size, size - 1)
        if head is None:
            if self.size:
                self.find("HEAD_MISMATCH", "the row that says where the journal ends is missing")
            return
        origin, size, tip, frontier = head[:4]
        if self.keys is not None and origin != self.keys.origin:
            self.find("WRONG_ORIGIN", f"the file says that it is {origin}")
        if size > self.size:
            self.find("TRUNCATED", f"it ends at {size} by its own account; {self.size} records are here", self.size)
        elif size < self.size or tip != self.tip or (self.frontier and frontier != self.frontier.pack()):
            self.find("HEAD_MISMATCH", "where the journal ends, and its records, do not agree")
        if self.size and self.frontier and self.agreed < self.size and not self.findings:
            self.find("UNSIGNED", f"no checkpoint covers the records from {self.agreed} on", self.agreed, self.size - 1)
        if self.size and pinned is None and not any(finding.code == "BAD_PIN" for finding in self.findings):
            self.find("NO_PIN", "nothing is pinned outside the database, so an older copy of it would look the same")
