"""The record: what was done on it, and whether it is whole."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from rig.contract.base import Command, Effect, Reply

Verdict = Literal["verified", "tampered", "unverifiable"]
Outcome = Literal["success", "failure", "denied", "error", "unknown"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a journal."""

    code: str
    """``EDITED``, ``CHAIN_BREAK``, ``ROOT_MISMATCH`` …; docs/journal.md explains each."""
    message: str
    first: int = -1
    """Position of the first record that it is about; -1: about none in particular."""
    last: int = -1


class Verification(Reply, frozen=True, kw_only=True):
    """What checking a journal from end to end has shown."""

    verdict: Verdict
    path: str
    origin: str = ""
    size: int = 0
    """Records in the file."""
    root: str = ""
    """Merkle root over them (RFC 6962), hexadecimal."""
    checkpoints: int = 0
    """Signed checkpoints that were checked."""
    anchored: int = 0
    """So many records are covered by the checkpoint that is kept outside the database."""
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


class VerifyJournal(Command, frozen=True, kw_only=True, tag="journal.verify"):
    """Check the whole journal: every record, the chain, the tree, the signatures, the pin."""

    effect: ClassVar[Effect] = "query"
    kind: ClassVar[str] = "journal-verification"
    reply: ClassVar[type[Reply]] = Verification


class JournalInfo(Command, frozen=True, kw_only=True, tag="journal.info"):
    """Show where the journal is, how long it is, and what signs and pins it."""

    kind: ClassVar[str] = "journal"
    reply: ClassVar[type[Reply]] = JournalReport
