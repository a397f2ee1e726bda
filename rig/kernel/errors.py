"""The one exception that rig raises on purpose."""

from __future__ import annotations

from typing import Any

import msgspec

from rig.contract.errors import ERRORS, ErrorBody, Problem

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not what they should be; the last for nesting that has no end."""

UNANSWERED = frozenset({"unreachable", "unavailable", "rate_limited"})
"""Codes of a platform that gives no answer, or none for now."""
LOGGED_OUT = frozenset({"login_required", "login_expired"})
"""Codes of one that knows nobody who asks."""


class RigError(Exception):
    """A failure with a code of the contract, a sentence that says what happened and why, and a hint that mends it.

    ``code`` must be a key of :data:`rig.contract.errors.ERRORS`; the exit code, the HTTP status and whether a retry
    makes sense follow from it. ``details`` is for machines: JSON values only, never a secret.
    """

    def __init__(self, code: str, message: str, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details = details
        self.warnings: list[str] = []
        """What else the user should know of the dispatch that ended so."""
        self.unclear = False
        """Whether a change was sent, and nobody here knows what became of it."""
        self.declined = False
        """Whether somebody was asked and said no, so that nothing was sent: a cancellation whose end is known."""
        self.kind = ERRORS[code]

    @property
    def exit(self) -> int:
        return self.kind.exit

    def body(self) -> ErrorBody:
        """The ``error`` of an envelope."""
        return ErrorBody(
            code=self.code,
            message=self.message,
            hint=self.hint,
            retryable=self.kind.retryable,
            exit=self.kind.exit,
            details=self.details,
        )

    def problem(self) -> Problem:
        """The body of an HTTP answer, RFC 9457."""
        return Problem(
            title=self.kind.meaning,
            status=self.kind.status,
            detail=self.message,
            code=self.code,
            hint=self.hint,
            details=self.details,
        )


class ReaderGone(RigError):
    """Whoever read the stream has gone, as `head` does when it has enough. Nobody is told of it; the record is."""

    def __init__(self) -> None:
        super().__init__("cancelled", "Whoever read the output has gone.")
        self.declined = True  # nothing else came of it


def declined() -> RigError:
    """The error for a question that was not answered with a yes."""
    error = RigError("cancelled", "Nothing was done.")
    error.declined = True
    return error
