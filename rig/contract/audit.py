"""The record: what was done on it, and whether it is whole."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rig.contract.base import Command, Effect, Reply, opt

Verdict = Literal["verified", "tampered", "unverifiable"]
Outcome = Literal["success", "failure", "denied", "error", "unknown"]
Time = Annotated[
    str,
    Meta(
        pattern=r"^([0-9]{1,6}[smhdw]|[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{5,18}(Z|[+-][0-9]{2}:[0-9]{2})?)?)?$(?!\n)"
    ),
]
"""RFC 3339 (``2026-11-01``, ``2026-11-01T12:00:00Z``; UTC where no offset is given) or how long ago: ``90s``."""


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


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One command, from its intent to its end, or one other fact."""

    pos: int
    """Position in the journal."""
    id: str
    at: str
    ended_at: str = ""
    actor: str
    action: str
    """A command's tag (``network.create``), or a fact's type (``network.created``)."""
    target: str = ""
    outcome: Outcome
    """``unknown``: it began, and its end is not on the record."""
    code: str = ""
    """Error code of an outcome that is no success."""
    reason: str = ""
    context: str = ""
    src: str = ""
    session: str = ""
    corr: str = ""


class AuditLog(Reply, frozen=True, kw_only=True):
    """Entries, newest first."""

    record: str
    """Whose record it is: ``local`` is what was done with rig on this machine."""
    more: bool = False
    """Whether older entries match too, beyond the limit."""
    entries: list[AuditEntry] = []


class ListAudit(Command, frozen=True, kw_only=True, tag="audit.list"):
    """Show who did what, newest first. This is the local record: what was done with rig on this machine."""

    kind: ClassVar[str] = "audit"
    reply: ClassVar[type[Reply]] = AuditLog

    actor: Annotated[str, Meta(max_length=200), opt("Only what this actor did, as user:ana.", metavar="ACTOR")] = ""
    target: Annotated[
        str, Meta(max_length=200), opt("Only what this was done to; `demo/*` takes all that begin so.", metavar="NAME")
    ] = ""
    action: Annotated[
        str,
        Meta(max_length=200),
        opt("Only this, as network.create; `network.*` takes all that begin so.", "--type", metavar="ACTION"),
    ] = ""
    outcome: Annotated[Outcome | Literal[""], opt("Only what ended so.")] = ""
    since: Annotated[Time, opt("From this time on: 2026-11-01, 2026-11-01T12:00:00Z, or 2h for two hours ago.")] = ""
    until: Annotated[Time, opt("Before this time.")] = ""
    limit: Annotated[int, Meta(ge=1, le=10_000), opt("At most so many entries.")] = 50
