"""Checks a journal from end to end, and never gives up half-way: whatever goes wrong is a finding.

The records are read by position in pages, and the read lock is let go between them, so others go on appending. What is
checked is the journal as it stood when the check began. A long one is checked by several processes.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

import msgspec

from rig.contract.verification import Anchor, AnchorKind, Finding, Segment, Verdict, Verification
from rig.kernel.errors import RigError
from storage import archive, cosigned, files, heartbeat, keys, record, verify_tables
from storage.checkpoint import KEPT_EVERY, MAX_NOTE, Checkpoint, parse
from storage.checkpoint import verify as signature_is_good
from storage.database import connect
from storage.merkle import HASH_SIZE, Frontier
from storage.pin import Pin
from storage.projections.base import Projection
from storage.verify_records import BLOCK, Found, Range, code_of
from storage.verify_work import Work

MAX_FINDINGS = 1000

UNPROVEN = frozenset({"NO_PIN", "BAD_PIN", "NO_KEY", "UNREADABLE", "PROJECTION_UNKNOWN", "PIN_AHEAD"})
"""Findings that show no tampering, but leave something that cannot be told."""
TRIES = 3
"""Times that a check begins anew because records were archived while it read them."""
OWN = "the signed checkpoint"
READ_HEAD = "SELECT origin, size, tip, frontier, last_at, min_pos FROM head"
READ_SPAN = "SELECT (SELECT min(pos) FROM event), (SELECT max(pos) FROM event)"
"""Each by itself is found at once, both together by going through all of them."""
READ_SEGMENTS = "SELECT first, last, frontier, note, file, sha256 FROM segment ORDER BY first"


def verify(
    path: str,
    key_path: str,
    pin: Pin,
    *,
    projections: Sequence[Projection] = (),
    kept: Sequence[str] = (),
    timeout: float = 10.0,
) -> Verification:
    """Check the journal ``path`` against the key and the pin outside it, and against the checkpoints ``kept``."""
    for _ in range(TRIES):
        check = _Check(path, projections, timeout)
        try:
            check.run(key_path, pin, kept)
        except (sqlite3.Error, OSError) as error:
            check.find(code_of(error), f"the file cannot be read: {error}")
        except Exception as error:  # a file made by somebody else may break anything: that has to be told, not raised
            check.find("DAMAGED", f"it holds what no rig writes, and that broke the check ({type(error).__name__})")
        if not check.overtaken():
            break
    return check.report()


def _whole(head: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """The head; None where one of its columns is of another type, as in a page that is damaged."""
    kinds = (str, int, bytes, bytes, int, int)
    return head if head and all(isinstance(value, kind) for value, kind in zip(head, kinds, strict=True)) else None


class _Check:
    """One run. ``frontier`` grows with the records; it is None behind a gap, where no root can be known."""

    def __init__(self, path: str, projections: Sequence[Projection], timeout: float) -> None:
        self.path = path
        self.projections = projections
        self.timeout = timeout
        self.findings: list[Finding] = []
        self.keys: keys.Keys | None = None
        self.frontier: Frontier | None = Frontier()
        self.notes: dict[int, list[tuple[str, Checkpoint]]] = {}
        """By size: what the tree must be there, and who says so."""
        self.anchors: dict[str, Anchor] = {}
        """The checkpoints from outside the database; each agrees once its root was found."""
        self.segments: list[Segment] = []
        self.archives: set[tuple[int, int, str, str]] = set()
        """What the records say was archived."""
        self.agreed = 0
        """The greatest size at which a checkpoint agreed, wherever it was kept."""
        self.covered = 0
        """The greatest size at which one of the journal's own did."""
        self.signed = 0
        self.first = 0
        self.size = 0
        self.records = 0
        self.tip = record.GENESIS
        self.root = ""

    def find(self, code: str, message: str, first: int = -1, last: int = -1) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(code=code, message=message, first=first, last=max(first, last)))

    def find_all(self, found: Iterable[Found]) -> None:
        for each in found:
            self.find(*each)

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
            first=self.first,
            records=self.records,
            root=self.root,
            checkpoints=self.signed,
            anchored=max((anchor.size for anchor in self.anchors.values() if anchor.agrees), default=0),
            anchors=list(self.anchors.values()),
            segments=self.segments,
            key_id=self.keys.key_id if self.keys else "",
            findings=self.findings,
        )

    def run(self, key_path: str, pin: Pin, kept: Sequence[str]) -> None:
        self._read_key(key_path)
        # Before the head: whatever was pinned by now has been committed before it.
        pinned = self._read_anchors(pin, kept)
        if not os.path.exists(self.path):
            self._missing()
            return
        try:
            files.refuse_link(self.path)
        except RigError as error:
            self.find("UNREADABLE", error.message.rstrip("."))
            return
        with closing(connect(self.path, read_only=True, timeout=self.timeout)) as connection:
            self.find_all(verify_tables.check_application(connection))
            schema = connection.execute("PRAGMA user_version").fetchone()[0]
            head, end = self._read_head(connection, heartbeats=schema >= heartbeat.SINCE)
            self.find_all(verify_tables.check_schema(connection, self.projections))
            self._check_records(end)
            self.find_all(verify_tables.check_outbox(connection))
            if schema >= heartbeat.SINCE:
                self.find_all(heartbeat.check(connection, self.keys))
        self._check_segments()
        self._check_ends(head, pinned=pinned)

    def overtaken(self) -> bool:
        """Whether records were archived meanwhile: then those that this check misses are no gap."""
        if not os.path.isfile(self.path):
            return False
        try:
            with closing(connect(self.path, read_only=True, timeout=self.timeout)) as connection:
                (begin,) = connection.execute("SELECT min_pos FROM head").fetchone() or (0,)
        except Exception:  # as in `verify`: a broken file may break anything, and was found to be broken already
            return False
        return isinstance(begin, int) and begin > self.first

    # -- what is kept outside the database --------------------------------------------------------------------------

    def _read_key(self, key_path: str) -> None:
        try:
            self.keys = keys.load(key_path)
        except RigError as error:
            self.find("NO_KEY", error.message)
            return
        if self.keys is None:
            self.find("NO_KEY", f"the key {key_path} is not there, so no signature can be checked")

    def _read_anchors(self, pin: Pin, kept: Sequence[str]) -> bool:
        """Note what has to be agreed with; whether there is anything of that kind."""
        before = len(self.findings)
        try:
            pinned = pin.read()
        except (ValueError, OSError) as error:
            self.find("BAD_PIN", f"the pin {pin.path} cannot be read: {error}")
            pinned = None
        if pinned is not None:
            self._anchor("pin", pin.path, pinned, "the pin")
        for verifier, checkpoint in cosigned.every(os.path.dirname(pin.path)):
            if self.keys is None or checkpoint.origin == self.keys.origin:
                name = verifier.partition("+")[0]
                self._anchor("witness", name, checkpoint, f"the checkpoint that {name} has witnessed")
        for path in kept:
            try:
                with open(path, encoding="utf-8") as file:
                    checkpoint = parse(file.read(MAX_NOTE + 1))
            except (ValueError, OSError) as error:
                self.find("BAD_PIN", f"the checkpoint {path} cannot be read: {error}")
                continue
            self._anchor("kept", path, checkpoint, f"the kept checkpoint {path}")
        return bool(self.anchors) or len(self.findings) > before

    def _anchor(self, kind: AnchorKind, name: str, checkpoint: Checkpoint, who: str) -> None:
        if self.keys is not None:
            if not signature_is_good(checkpoint.note, self.keys.origin, self.keys.public):
                self.find("BAD_SIGNATURE", f"{who} does not carry a good signature of this journal's key")
            elif checkpoint.origin != self.keys.origin:
                self.find("WRONG_ORIGIN", f"{who} is that of {checkpoint.origin}")
        self.anchors[name] = Anchor(kind=kind, name=name, size=checkpoint.size, agrees=False)
        self.notes.setdefault(checkpoint.size, []).append((who, checkpoint))

    def _missing(self) -> None:
        size = max((anchor.size for anchor in self.anchors.values()), default=0)
        if size:
            self.find("ROLLED_BACK", f"the file is gone; {size} records were pinned", 0, size - 1)
        else:
            self.find("UNREADABLE", "there is no such file")

    # -- the database -----------------------------------------------------------------------------------------------

    def _read_head(self, connection: sqlite3.Connection, *, heartbeats: bool) -> tuple[tuple[Any, ...] | None, int]:
        """The head, and the position where the check ends; both as of one moment, with the checkpoints."""
        connection.execute("BEGIN")
        head = _whole(connection.execute(READ_HEAD).fetchone())
        stored = connection.execute("SELECT size, note FROM checkpoint ORDER BY size").fetchall()
        beaten = connection.execute("SELECT size, note FROM heartbeat").fetchall() if heartbeats else []
        low, high = connection.execute(READ_SPAN).fetchone()
        segments = connection.execute(READ_SEGMENTS).fetchall()
        connection.execute("COMMIT")
        for size, note in (*stored, *beaten):
            self._read_checkpoint(size, note)
        if head is not None and head[5]:
            self._begin_behind(head[5], segments)
        elif segments:
            self.find("HEAD_MISMATCH", "records were archived, and by its own account none were")
        if low is not None and low < self.first:
            self.find("HEAD_MISMATCH", f"records from {low} on are here, and by its own account it begins later", low)
        end = self.first if high is None else high + 1
        self._check_kept(end, [size for size, _ in stored])
        return head, end

    def _check_kept(self, end: int, sizes: list[int]) -> None:
        """Whether every checkpoint that is kept for good is there. A finding for each gap: it may be very wide."""
        due = self.first // KEPT_EVERY * KEPT_EVERY + KEPT_EVERY
        kept = [size for size in sizes if due <= size <= end and size % KEPT_EVERY == 0]
        for size in (*kept, end // KEPT_EVERY * KEPT_EVERY + KEPT_EVERY):
            if size > due:
                more = f", and others up to {size - KEPT_EVERY}," if size > due + KEPT_EVERY else ""
                self.find("UNSIGNED", f"the checkpoint over {due} records{more} is missing", due - 1)
            due = size + KEPT_EVERY

    def _begin_behind(self, first: int, segments: list[tuple[Any, ...]]) -> None:
        """Take up the tree behind what was archived; the newest segment has its frontier."""
        self.first = self.size = first
        for low, last, _, note, file, digest in segments:
            self.segments.append(archive.look_at(self.path, low, last, file, digest))
            self._read_archived(last + 1, note)
        try:
            self.frontier = Frontier(first, next((s[2] for s in segments if s[1] + 1 == first), b""))
            self._compare_roots(first)
        except ValueError:
            self.find("BAD_CUT", f"records 0 to {first - 1} are missing, and were not archived", 0, first - 1)
            self.frontier = None

    def _read_archived(self, end: int, note: str) -> None:
        """The checkpoint that an archive ends with: over at least its records."""
        checkpoint = self._read_checkpoint(None, note)
        if checkpoint is not None and checkpoint.size < end:
            self.find("BAD_CUT", f"the checkpoint of an archive covers {checkpoint.size} of {end} records", end - 1)

    def _read_checkpoint(self, size: int | None, note: str) -> Checkpoint | None:
        """Note what the journal's own checkpoint says; None where it does not count."""
        try:
            checkpoint = parse(str(note))
        except ValueError as error:
            self.find("BAD_SIGNATURE", f"the checkpoint at {size} is no signed note: {error}")
            return None
        if size is not None and checkpoint.size != size:
            self.find("COLUMN_MISMATCH", f"the checkpoint stored at {size} is over {checkpoint.size} records")
        if self.keys is not None:
            if checkpoint.origin != self.keys.origin:
                self.find("WRONG_ORIGIN", f"the checkpoint at {checkpoint.size} is that of {checkpoint.origin}")
            elif not signature_is_good(note, self.keys.origin, self.keys.public):
                self.find("BAD_SIGNATURE", f"the checkpoint at {checkpoint.size} was not signed by this journal's key")
                return None
            self.signed += 1
        self.notes.setdefault(checkpoint.size, []).append((OWN, checkpoint))
        return checkpoint

    def _check_records(self, end: int) -> None:
        self._compare_roots(0)
        with Work(self.path, self.timeout, self.projections, self.first, end) as work:
            for part in work.ranges():
                self._add(part)
            self.find_all(work.rest())
        self.root = self.frontier.root().hex() if self.frontier else ""

    def _add(self, part: Range) -> None:
        """Bind a range to what came before it."""
        if part.prev and self.records and part.prev != self.tip.hex() and self.size == part.first:
            self.find("CHAIN_BREAK", f"record {part.first} does not follow the one before it", part.first)
        self.find_all(part.findings)
        self.archives.update(part.archives)
        self.records += part.count
        if part.count:
            self.tip = part.tip
        self.size = part.end
        if not part.whole:
            self.frontier = None
        if self.frontier is None:
            return
        done = 0
        for root in part.roots:
            if self._is_noted_within(self.frontier.size):
                self._grow(self.frontier, part.leaves, done, done + BLOCK)
            else:
                self.frontier.append(root, BLOCK)
                self._compare_roots(self.frontier.size)
            done += BLOCK
        self._grow(self.frontier, part.leaves, done, len(part.leaves) // HASH_SIZE)

    def _is_noted_within(self, size: int) -> bool:
        """Whether somebody says what the tree must be in the midst of the block that begins there."""
        return any(size < noted < size + BLOCK for noted in self.notes)

    def _grow(self, frontier: Frontier, leaves: bytes, first: int, end: int) -> None:
        """Add the leaves from the place ``first`` to ``end - 1``."""
        append, notes = frontier.append, self.notes
        for at in range(first * HASH_SIZE, end * HASH_SIZE, HASH_SIZE):
            append(leaves[at : at + HASH_SIZE])
            if frontier.size in notes:
                self._compare_roots(frontier.size)

    def _compare_roots(self, size: int) -> None:
        if self.frontier is None or size not in self.notes:
            return
        root = self.frontier.root()
        for who, checkpoint in self.notes.pop(size):
            if checkpoint.root == root:
                self.agreed = size
                if who == OWN:
                    self.covered = size
                self._agree(checkpoint)
            else:
                span = f"records {self.agreed} to {size - 1}"
                self.find(
                    "ROOT_MISMATCH",
                    f"{span} are not the ones that {who} at {size} was made over",
                    self.agreed,
                    size - 1,
                )

    def _agree(self, checkpoint: Checkpoint) -> None:
        for name, anchor in self.anchors.items():
            if anchor.size == checkpoint.size and not anchor.agrees:
                self.anchors[name] = msgspec.structs.replace(anchor, agrees=True)

    def _check_segments(self) -> None:
        """The newest archive is recorded here, with a digest of those before it."""
        known = [(segment.first, segment.last, bytes.fromhex(segment.sha256)) for segment in self.segments]
        for newest in self.segments[-1:]:
            recorded = (newest.first, newest.last, newest.sha256, archive.digest_of_list(known[:-1]))
            if recorded not in self.archives:
                self.find(
                    "BAD_CUT", f"records 0 to {newest.last} were taken out, and no record says so", 0, newest.last
                )
        for segment in self.segments:
            if not segment.present and os.path.exists(segment.file):
                changed = f"the archive {segment.file} is not the one that was written"
                self.find("ARCHIVE_MISMATCH", changed, segment.first, segment.last)

    def _check_ends(self, head: tuple[Any, ...] | None, *, pinned: bool) -> None:
        """What says how long the journal is must agree: head, newest checkpoint, pins."""
        for size, notes in sorted(self.notes.items()):
            for who, _ in notes:
                if size > self.size and who == OWN:
                    lost = f"a signed checkpoint covers {size} records, and {self.size} are here"
                    self.find("TRUNCATED", lost, self.size, size - 1)
                elif size > self.size:
                    lost = f"{who} covers {size} records, and {self.size} are here: it was replaced by an older state"
                    self.find("ROLLED_BACK", lost, self.size, size - 1)
        if head is None:
            if self.size:
                self.find("HEAD_MISMATCH", "the row that says where the journal ends is missing, or damaged")
            return
        origin, size, tip, frontier = head[:4]
        if self.keys is not None and origin != self.keys.origin:
            self.find("WRONG_ORIGIN", f"the file says that it is {origin}")
        if size > self.size:
            self.find("TRUNCATED", f"it ends at {size} by its own account; {self.size} records are here", self.size)
        elif size < self.size or (self.records and tip != self.tip) or self._frontier_differs(frontier):
            self.find("HEAD_MISMATCH", "where the journal ends, and its records, do not agree")
        if self.frontier and self.covered < self.size and not self.findings:
            self.find(
                "UNSIGNED", f"no checkpoint covers the records from {self.covered} on", self.covered, self.size - 1
            )
        if self.size and not pinned:
            self.find("NO_PIN", "nothing is pinned outside the database, so an older copy of it would look the same")

    def _frontier_differs(self, packed: bytes) -> bool:
        return self.frontier is not None and packed != self.frontier.pack()
