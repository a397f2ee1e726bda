"""Every way rig can fail: one code, its exit code, its HTTP status, and whether trying again makes sense.

Client and node share this table. A code never changes its meaning; ``docs/reference/errors.md`` is made from it.
"""

from __future__ import annotations

from typing import Any

import msgspec


class ErrorKind(msgspec.Struct, frozen=True):
    """One row of the table. ``status`` is the HTTP status with which the node answers."""

    exit: int
    status: int
    retryable: bool
    meaning: str


ERRORS: dict[str, ErrorKind] = {
    # 1: it was tried, and it failed
    "failed": ErrorKind(1, 500, False, "The operation was tried and failed."),
    "build_failed": ErrorKind(1, 500, False, "The build ended with an error; its output says why."),
    "build_timeout": ErrorKind(1, 500, False, "The build took longer than its limit and was ended."),
    "release_failed": ErrorKind(1, 500, False, "The `release:` command ended with an error."),
    "app_crashed": ErrorKind(1, 500, False, "A process of the new release ended while it was starting."),
    "unhealthy": ErrorKind(1, 500, False, "The new release did not pass its health check in time."),
    "wrong_port": ErrorKind(1, 500, False, "The app listens, but not on the port it was given in PORT."),
    "interrupted": ErrorKind(1, 500, True, "The work was cut off before it came to an end."),
    "tampered": ErrorKind(1, 500, False, "The journal does not verify."),
    "journal_forked": ErrorKind(1, 409, False, "A journal contradicts what it showed before."),
    # 4: who are you
    "login_required": ErrorKind(4, 401, False, "No valid login for this platform."),
    "login_expired": ErrorKind(4, 401, False, "The login has ended or was revoked."),
    # 8: not yet
    "pending": ErrorKind(8, 202, True, "The work goes on; the wait has ended."),
    # 64: the call is wrong
    "usage": ErrorKind(64, 400, False, "The command line or request cannot be understood."),
    "input_required": ErrorKind(64, 400, False, "An answer is needed, and there is no terminal to ask on."),
    # 65: the data is wrong
    "invalid_data": ErrorKind(65, 422, False, "A value breaks its rules."),
    "secret_in_source": ErrorKind(65, 422, False, "The source holds files that look like secrets."),
    "too_large": ErrorKind(65, 413, False, "The data is over a limit."),
    "content_mismatch": ErrorKind(65, 422, False, "What arrived is not what was announced."),
    "unverifiable": ErrorKind(65, 422, False, "There is not enough to tell whether the journal is whole."),
    # 66: it is not there
    "not_found": ErrorKind(66, 404, False, "There is no such thing, or it is hidden from you."),
    # 69, 70
    "unreachable": ErrorKind(69, 503, True, "The platform cannot be reached; nothing was queued."),
    "unsupported_version": ErrorKind(69, 400, False, "Client and platform have no API version in common."),
    "internal": ErrorKind(70, 500, False, "A bug in rig."),
    # 73, 75: it stands in the way
    "already_exists": ErrorKind(73, 409, False, "The name is taken."),
    "conflict": ErrorKind(73, 409, False, "The state does not allow it."),
    "key_reused": ErrorKind(73, 409, False, "The idempotency key was used for another request."),
    "precondition_failed": ErrorKind(73, 412, False, "It was changed by someone else since it was read."),
    "locked": ErrorKind(75, 423, True, "Someone else is at it; nothing was accepted."),
    "too_slow": ErrorKind(75, 408, True, "The request did not arrive in time; nothing was accepted."),
    "rate_limited": ErrorKind(75, 429, True, "Too many requests; nothing was accepted."),
    "unavailable": ErrorKind(75, 503, True, "The platform cannot take it just now; nothing was accepted."),
    "journal_unavailable": ErrorKind(75, 503, True, "The journal cannot be written, so nothing was done."),
    # 77, 78
    "forbidden": ErrorKind(77, 403, False, "Your role does not allow it."),
    "bad_config": ErrorKind(78, 422, False, "A configuration file or setting is wrong."),
    "missing_program": ErrorKind(78, 500, False, "A program that is needed is not installed."),
    # signals
    "cancelled": ErrorKind(130, 499, True, "Interrupted from the keyboard."),
    "terminated": ErrorKind(143, 499, True, "Ended by a signal."),
}


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """The ``error`` of an envelope on stdout."""

    code: str
    message: str
    hint: str = ""
    retryable: bool = False
    exit: int = 1
    details: dict[str, Any] = {}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What the node answers when it refuses: RFC 9457, with rig's ``code`` and ``hint`` as extension members."""

    type: str = "about:blank"
    title: str = ""
    status: int = 500
    detail: str = ""
    code: str = "internal"
    hint: str = ""
    details: dict[str, Any] = {}
