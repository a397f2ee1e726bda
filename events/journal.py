"""The stream of a journal itself, ``journal:archive``: what was taken out of it."""

from __future__ import annotations

from typing import ClassVar

from events.base import Fact


class JournalArchived(Fact, frozen=True, kw_only=True):
    """Records were moved to a file. This is recorded in the transaction that takes them out."""

    type: ClassVar[str] = "journal.archived"

    first: int
    last: int
    sha256: str
    """Of the file."""
    earlier: str
    """SHA-256 over the lines ``FIRST LAST SHA256`` of all archives before this one, whose own facts are in them."""
    file: str
    """Where it was written; it may have been moved since."""
    versions: dict[str, int] = {}
    """The versions that streams had at the cut, those of commands left out, which have come to their end."""
