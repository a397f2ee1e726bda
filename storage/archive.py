"""Archives: the older records as an export, taken out of the journal without breaking what binds it together.

First the file is written, synced, and read back by the check that anybody would make. Then one transaction records that
it was done, keeps the frontier of the tree at the cut, and takes the records out. Killed in between, the journal is as
it was, and a file lies about that nothing needs.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from events.journal import JournalArchived
from rig.contract.evidence import Archived
from rig.contract.verification import Segment
from rig.kernel.errors import RigError
from rig.kernel.evidence import require_verified
from rig.kernel.files import private_folder, sync_folder
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Recorded, Stamp
from storage import exports, record
from storage.database import unavailable
from storage.export import Selection, Source, export, open_source

if TYPE_CHECKING:
    from storage.journal import Journal

FOLDER = "archive"
FIRST_NEWER = "SELECT min(pos) FROM event WHERE at >= ?"
FIRST_OPEN = """
SELECT min(e.pos) FROM outbox o JOIN event e ON e.stream = 'command:' || o.idem
WHERE o.state IN ('pending', 'leased', 'unknown')"""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken out, and what stays in its place."""

    first: int
    end: int
    frontier: bytes
    note: str
    """The checkpoint that the file ends with."""
    file: str
    sha256: bytes

    def fact(self, earlier: Iterable[tuple[int, int, bytes]], versions: dict[str, int]) -> JournalArchived:
        """What is recorded of it; ``earlier`` are first, last and digest of the archives before it, ``versions`` those
        that streams have."""
        return JournalArchived(
            first=self.first,
            last=self.end - 1,
            sha256=self.sha256.hex(),
            earlier=digest_of_list(earlier),
            file=self.file,
            versions=versions,
        )


def digest_of_list(archives: Iterable[tuple[int, int, bytes]]) -> str:
    """What an archive records of those before it."""
    lines = (f"{first} {last} {digest.hex()}\n" for first, last, digest in archives)
    return sha256("".join(lines).encode()).hexdigest()


def archive(journal: Journal, before: int, file: str, stamp: Stamp, *, verifier: str) -> Archived:
    """Archive the records from before a time. Raises `RigError`; nothing is taken out then."""
    with closing(open_source(journal.path, journal.timeout)) as source:
        first, (end, held_back) = source.tree.base, _cut(source, before)
        if end <= first:
            return Archived(first=first, left=source.tree.size - first, held_back=held_back)
        path = _place(journal, file, first, end)
        _write(source, path, first, end, verifier, rfc3339(stamp.at))
        pin = journal.pin.path if os.path.exists(journal.pin.path) else ""
        require_verified(exports.report(exports.check(path, verifier, pin)))
        cut = Cut(
            first=first,
            end=end,
            frontier=source.tree.frontier(end).pack(),
            note=source.note,
            file=_relative(journal, path),
            sha256=digest_of(path),
        )
    left = journal.cut(cut, stamp)
    return Archived(
        file=path, first=first, records=end - first, left=left, sha256=cut.sha256.hex(), held_back=held_back
    )


def _cut(source: Source, before: int) -> tuple[int, str]:
    """Where the journal will begin, and what keeps it from beginning later."""
    newer = source.connection.execute(FIRST_NEWER, (before,)).fetchone()[0]
    end = source.tree.size if newer is None else newer
    held = source.connection.execute(FIRST_OPEN).fetchone()[0]
    if held is not None and held < end:
        return held, f"record {held} is of a change whose outcome is not known yet"
    return end, ""


def _place(journal: Journal, file: str, first: int, end: int) -> str:
    path = os.path.abspath(file) if file else ""
    if not path:
        folder = private_folder(os.path.join(os.path.dirname(journal.path), FOLDER))
        path = os.path.join(folder, f"{first:09d}-{end - 1:09d}.jsonl")
    return path


def _relative(journal: Journal, path: str) -> str:
    """Files beside the journal move with it."""
    home = os.path.dirname(journal.path)
    return os.path.relpath(path, home) if path.startswith(os.path.join(home, "")) else path


def _write(source: Source, path: str, first: int, end: int, verifier: str, at: str) -> None:
    partial = f"{path}.{os.getpid()}.partial"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with open(os.open(partial, flags, 0o600), "wb") as out:
            export(source, out.write, Selection(first=first, end=end), verifier=verifier, exported_at=at)
            out.flush()
            os.fsync(out.fileno())
        # A link fails where the name is taken: an archive is never overwritten.
        os.link(partial, path)
        sync_folder(os.path.dirname(path))
    except FileExistsError as error:
        raise RigError("already_exists", f"{path} is there already.", "Name another file: `--to FILE`.") from error
    except OSError as error:
        raise RigError(
            "usage", f"{path} cannot be written: {error.strerror or error}.", "Name another file: `--to FILE`."
        ) from error
    except sqlite3.Error as error:
        raise unavailable(source.path, error) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(partial)


def archived(journal: Journal) -> Iterator[Recorded]:
    """The records that were archived, oldest first, out of their files. Raises `RigError` ``unverifiable``."""
    for row in journal.rows("SELECT first, last, file, sha256 FROM segment ORDER BY first"):
        segment = look_at(journal.path, row["first"], row["last"], row["file"], row["sha256"])
        if not segment.present:
            raise RigError(
                "unverifiable",
                f"{segment.file} is not there, or is not what was written: it holds the records {segment.first} to"
                f" {segment.last}, and what is known now follows from them.",
                "Put the file back.",
            )
        with open(segment.file, encoding="utf-8") as file:
            for line in islice(file, 1, segment.last - segment.first + 2):  # the first line says what it is
                yield record.recorded(line.rstrip("\n"))


def look_at(journal: str, first: int, last: int, file: str, digest: bytes) -> Segment:
    """A segment, and whether its file is where it was put and is what it was. A relative path is the journal's."""
    path = os.path.join(os.path.dirname(journal), file)
    present = False
    with suppress(OSError):  # moved to where it is kept; that is for its keeper to check
        present = digest_of(path) == digest
    return Segment(first=first, last=last, file=path, sha256=digest.hex(), present=present)


def digest_of(path: str) -> bytes:
    """SHA-256 of a file. Raises `OSError`."""
    digest = sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.digest()
