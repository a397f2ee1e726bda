"""The platform's record as its clients keep it, and the platform as a witness of theirs."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from rig.contract.base import Command, Effect, Reply, wire
from rig.contract.names import Digest

PAGE = 1024
"""Records of one page. Pages end where the platform keeps a signed checkpoint: at multiples of this, and at the end."""
MAX_LEAVES = 4 * PAGE
"""Records that a client's checkpoint may be ahead of the one that was witnessed last."""


JournalName = Annotated[str, Meta(max_length=200, pattern=r"^[A-Za-z0-9._/-]+$(?!\n)"), wire("Name of the journal.")]


class WireRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record. What the asker may not see is its hash only, which keeps its place in the tree."""

    leaf: Digest
    rec: str = ""
    """The canonical JSON, verbatim; empty where it is withheld."""


class RecordPage(Reply, frozen=True, kw_only=True):
    """Records in the order of their positions, and the signed checkpoint over everything up to the last of them."""

    origin: str
    verifier: str
    """The public key that signs the checkpoints, C2SP signed-note form."""
    size: int
    """Records that the platform has."""
    first: int
    """Position of the first of these records. Greater than what was asked for: the ones before were archived."""
    frontier: str = ""
    """Where ``first`` is greater: the tree over what was archived, the roots of its perfect subtrees in hexadecimal."""
    records: list[WireRecord] = []
    checkpoint: str = ""
    """C2SP tlog-checkpoint; empty for a journal without records."""


class ListRecords(Command, frozen=True, kw_only=True, tag="journal.records"):
    """Read the platform's journal. Of records that you may not see there is the hash only."""

    kind: ClassVar[str] = "journal-records"
    reply: ClassVar[type[Reply]] = RecordPage

    after: Annotated[int, Meta(ge=-1), wire("Position of the last record that the asker has.")] = -1


class Cosigned(Reply, frozen=True, kw_only=True):
    """What the platform vouches for: that it saw this checkpoint, and none before it that contradicts it."""

    size: int
    checkpoint: str
    """The checkpoint with the platform's cosignature (C2SP tlog-cosignature)."""
    verifier: str
    """The key of the cosignature, C2SP signed-note form."""


class RegisterJournal(Command, frozen=True, kw_only=True, tag="journal.register"):
    """Tell the platform the public half of a journal's key, so that it can witness what it signs."""

    effect: ClassVar[Effect] = "change"
    kind: ClassVar[str] = "journal-registration"

    origin: JournalName
    key: Annotated[str, Meta(max_length=300, pattern=r"^[!-~]+$(?!\n)"), wire("Verifier key, C2SP signed-note form.")]


class WitnessCheckpoint(Command, frozen=True, kw_only=True, tag="journal.witness"):
    """Have the platform witness a checkpoint of a client's journal.

    It must continue the one that was witnessed last: another one of the same size, or one that is shorter or does not
    follow, is refused, and the answer's ``details.size`` says how many records were witnessed.
    """

    kind: ClassVar[str] = "journal-witness"
    reply: ClassVar[type[Reply]] = Cosigned

    origin: JournalName
    checkpoint: Annotated[str, Meta(max_length=16_384), wire("The signed note, whole.")]
    old_size: Annotated[int, Meta(ge=0), wire("Size of the checkpoint that was witnessed last, 0 for none.")] = 0
    leaves: Annotated[
        list[Digest],
        Meta(max_length=MAX_LEAVES),
        wire("Leaf hashes of the records from `old_size` on."),
    ] = []
    frontier: Annotated[
        str,
        Meta(max_length=64 * 64, pattern=r"^([0-9a-f]{64})*$(?!\n)"),
        wire("Of a journal that was never witnessed, instead of leaves: the roots of its perfect subtrees."),
    ] = ""
