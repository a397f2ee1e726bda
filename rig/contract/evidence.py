"""The journal as evidence: checking it, taking exports of it, and what can be done with an export."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rig.contract.base import Command, Effect, Reply, arg, opt
from rig.contract.files import FilePath, Overwrite
from rig.contract.names import DIGEST_PATTERN, optional
from rig.contract.times import Time
from rig.contract.verification import JournalReport, Verification

Key = Annotated[
    str,
    Meta(max_length=4096),
    opt("The public key that you trust, as `rig journal info` prints it, or a file that holds it.", metavar="KEY"),
]
Pin = Annotated[FilePath, opt("A checkpoint that you have kept, to compare with: a file.", metavar="FILE")]
OfNode = Annotated[bool, opt("The journal of the embedded Max node, not that of this user.", "--node")]
ProjectionName = Annotated[str, Meta(pattern=r"^[a-z_]{1,40}$(?!\n)")]


class VerifyJournal(Command, frozen=True, kw_only=True, tag="journal.verify"):
    """Check the whole journal: every record, the chain, the tree, the signatures, the pins, what queries read.

    The replica of the platform's record is checked too, and compared with what the platform shows now.

    With EXPORT that file is checked instead. It needs no journal, but a key that you trust; this machine's own is taken
    for an export of its own journal, and for one of the platform's the key that the replica was checked with.
    """

    kind: ClassVar[str] = "journal-verification"
    reply: ClassVar[type[Reply]] = Verification

    export: Annotated[FilePath, arg("An export, to be checked instead of the journal.", metavar="[EXPORT]")] = ""
    key: Key = ""
    pin: Pin = ""
    node: OfNode = False


class JournalInfo(Command, frozen=True, kw_only=True, tag="journal.info"):
    """Show where the journal is, how long it is, and what signs and pins it."""

    kind: ClassVar[str] = "journal"
    reply: ClassVar[type[Reply]] = JournalReport

    pin_out: Annotated[
        FilePath, opt("Write the newest checkpoint to this file, to be kept elsewhere.", metavar="FILE")
    ] = ""
    node: OfNode = False


class Exported(Reply, frozen=True, kw_only=True):
    """What an export holds."""

    file: str = ""
    """Its path; empty for standard output."""
    verifier: str = ""
    """Path of the program that was put beside it, which checks it without rig."""
    key: str = ""
    """The public key that it can be checked with. Whoever checks it should have it from elsewhere."""
    origin: str
    first: int
    end: int
    """The records from `first` to `end - 1`, or picked ones among them."""
    records: int
    complete: bool
    size: int
    """So many records are covered by its checkpoint."""
    root: str
    checkpoint: str
    sha256: str
    """Of all lines but the last one, which holds it."""


class ExportJournal(Command, frozen=True, kw_only=True, tag="journal.export"):
    """Write the journal, or a range of it, as a file that can be checked without it.

    Records come as they are, one a line, between a header and a trailer with the signed checkpoint.
    """

    kind: ClassVar[str] = "journal-export"
    reply: ClassVar[type[Reply]] = Exported

    file: Annotated[FilePath, opt("Write it here instead of to standard output.", metavar="FILE")] = ""
    since: Annotated[Time, opt("From this time on: 2026-11-01, 2026-11-01T12:00:00Z, or 7d.", metavar="TIME")] = ""
    until: Annotated[Time, opt("Before this time.", metavar="TIME")] = ""
    format: Annotated[Literal["jsonl"], opt("jsonl: one record a line, with header and trailer.")] = "jsonl"
    with_verifier: Annotated[bool, opt("Put the program that checks it beside it.", "--with-verifier")] = False
    overwrite: Overwrite = False
    node: OfNode = False


class Imported(Reply, frozen=True, kw_only=True):
    """An export as a database that can be asked."""

    file: str
    origin: str
    records: int
    first: int
    end: int
    complete: bool
    root: str


class ImportJournal(Command, frozen=True, kw_only=True, tag="journal.import"):
    """Make a read-only database of an export, for `rig audit --from`. It is checked first.

    It has nothing to do with the journal of this machine, and changes nothing there.
    """

    effect: ClassVar[Effect] = "local"
    kind: ClassVar[str] = "journal-import"
    reply: ClassVar[type[Reply]] = Imported

    export: Annotated[FilePath, Meta(min_length=1), arg("The export.", metavar="EXPORT")]
    to: Annotated[FilePath, opt("The new database; EXPORT.sqlite without.", metavar="FILE")] = ""
    key: Key = ""
    pin: Pin = ""


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of one projection."""

    name: str
    version: int
    """Of the code that folds it."""
    rows: int
    digest: str
    """SHA-256 over its rows: the same records and the same code give the same digest on any machine."""


class Replayed(Reply, frozen=True, kw_only=True):
    """What the records come to when they are folded anew."""

    origin: str
    first: int
    """Position of the first record; those before it are in an archive."""
    records: int
    """Records that were folded."""
    size: int
    """So many records the verified checkpoint covers."""
    root: str
    digest: str
    """SHA-256 over the digests of all projections."""
    projections: list[Folded] = []


class ReplayJournal(Command, frozen=True, kw_only=True, tag="journal.replay"):
    """Fold the records of an export, or of this journal, anew, and print a digest of what they come to.

    They are verified first. Nothing but the folding runs: no handler, no program, no network, no file is written.
    """

    kind: ClassVar[str] = "journal-replay"
    reply: ClassVar[type[Reply]] = Replayed

    export: Annotated[FilePath, arg("The export; `.` is the journal of this machine.", metavar="[EXPORT]")] = "."
    until: Annotated[
        str,
        Meta(max_length=40),
        opt("Stop before this position, or before the first record of this time.", metavar="POS|TIME"),
    ] = ""
    projection: Annotated[list[ProjectionName], opt("Only this one; may be given again.", metavar="NAME")] = []
    expect: Annotated[
        str,
        Meta(pattern=optional(DIGEST_PATTERN)),
        opt("Fail unless the digest is this one, of 64 hexadecimal digits as a replay prints it.", metavar="DIGEST"),
    ] = ""
    key: Key = ""
    pin: Pin = ""


class Rebuilt(Reply, frozen=True, kw_only=True):
    """The projections, made anew."""

    records: int
    projections: list[Folded] = []
    differed: list[str] = []
    """Those whose tables were not what the records come to."""


class RebuildProjections(Command, frozen=True, kw_only=True, tag="journal.rebuild"):
    """Make the tables that queries read anew from the records. Others may read and write meanwhile."""

    effect: ClassVar[Effect] = "local"
    kind: ClassVar[str] = "journal-rebuild"
    reply: ClassVar[type[Reply]] = Rebuilt

    projection: Annotated[list[ProjectionName], opt("Only this one; may be given again.", metavar="NAME")] = []


class Archived(Reply, frozen=True, kw_only=True):
    """What was archived."""

    file: str = ""
    """Empty where there was nothing to archive."""
    first: int
    records: int = 0
    left: int
    """Records that stay in the journal."""
    sha256: str = ""
    """Of the whole file."""
    held_back: str = ""
    """Why no more was archived, where something stood in the way."""


BeforeTime = Annotated[Time, Meta(min_length=1), opt("Records from before this time.", metavar="TIME")]


class ArchiveJournal(Command, frozen=True, kw_only=True, tag="journal.archive"):
    """Move the older records to a file, which is an export, and take them out of the journal.

    The file is written, synced and checked before anything is taken out; the journal keeps what binds it to the file.
    """

    effect: ClassVar[Effect] = "local"
    kind: ClassVar[str] = "journal-archive"
    reply: ClassVar[type[Reply]] = Archived

    before: BeforeTime
    to: Annotated[FilePath, opt("The file; `archive/` beside the journal without.", metavar="FILE")] = ""


class ArchiveNode(Command, frozen=True, kw_only=True, tag="node.archive"):
    """Move the older records of a node's journal to a file beside it, in `archive/`, while the node runs.

    The chain goes on across the cut: exports, replicas and checks hold on both sides of it. What the node knows follows
    from all of its records, so it reads the files when it starts: keep copies of them elsewhere, and leave them there.
    """

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "journal-archive"
    reply: ClassVar[type[Reply]] = Archived

    before: BeforeTime
