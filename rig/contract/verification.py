"""What is found out about a journal: whether it is whole, and what state it is in."""

from __future__ import annotations

from typing import Literal

import msgspec

from rig.contract.base import Reply

Verdict = Literal["verified", "tampered", "unverifiable"]
AnchorKind = Literal["pin", "witness", "kept"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a journal."""

    code: str
    """``EDITED``, ``CHAIN_BREAK``, ``ROOT_MISMATCH`` …; docs/journal.md explains each."""
    message: str
    first: int = -1
    """Position of the first record that it is about; -1: about none in particular."""
    last: int = -1


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint from outside the database that a journal was compared with."""

    kind: AnchorKind
    """``pin``: beside the database, on this machine. ``witness``: a platform countersigned it. ``kept``: somebody kept
    it, and gave it with --pin."""
    name: str
    """Where it is: a path; or who countersigned."""
    size: int
    """So many records it covers."""
    agrees: bool
    """Whether the records are those that it was made over; false where that cannot be compared."""


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """Records that were archived to a file and taken out of the journal."""

    first: int
    last: int
    file: str
    sha256: str
    present: bool = False
    """Whether the file is there and is the one that was written."""


class Verification(Reply, frozen=True, kw_only=True):
    """What checking a journal from end to end has shown."""

    verdict: Verdict
    path: str
    origin: str = ""
    size: int = 0
    """Records that the journal has, archived ones included; in an export, those that its checkpoint covers."""
    root: str = ""
    """Merkle root over them (RFC 6962), hexadecimal."""
    checkpoints: int = 0
    """Signed checkpoints that were checked."""
    anchored: int = 0
    """So many records are covered by a checkpoint that is kept outside the database, or that was given with --pin."""
    anchors: list[Anchor] = []
    """The checkpoints that it was compared with."""
    first: int = 0
    """Position of the first record: those before it were archived, or an export begins there."""
    records: int = 0
    """Records that were checked."""
    complete: bool = True
    """False for an export of picked records: each one is proven, and that none was left out is not."""
    segments: list[Segment] = []
    """What was archived."""
    replicated: int = 0
    """Records of the platform's journal in the replica, which was checked too."""
    compared: bool = False
    """Whether the platform was asked, and its record goes on from the replica."""
    key_id: str = ""
    findings: list[Finding] = []


class JournalReport(Reply, frozen=True, kw_only=True):
    """What a journal is, and what state it is in. Nothing is verified for it."""

    path: str
    origin: str = ""
    size: int = 0
    """Records in the file."""
    tip: str = ""
    """Leaf hash of the newest record, hexadecimal."""
    root: str = ""
    checkpoint: str = ""
    """The newest signed note, whole."""
    pin: str = ""
    """Path of the checkpoint outside the database."""
    pinned: int = 0
    """The size that it pins."""
    pin_error: str = ""
    first: int = 0
    """Position of the first record in the file; those before it were archived."""
    witnessed: int = 0
    """The size that a platform has countersigned last."""
    witness: str = ""
    """Whose countersignature that is."""
    key: str = ""
    """Path of the signing key."""
    key_id: str = ""
    verifier: str = ""
    """The public key, C2SP signed-note form."""
    bytes: int = 0
    """Size of the database file."""
    schema_version: int = 0
    journal_mode: str = ""
    sqlite: str = ""
    """Version of the SQLite library in use."""
    file_system: str = ""
    first_at: str = ""
    last_at: str = ""
    quiet_until: str = ""
    """Until then nothing was appended since ``last_at``, by a signed statement; empty where there is none."""
